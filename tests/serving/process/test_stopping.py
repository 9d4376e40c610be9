from __future__ import annotations

import asyncio

import pytest

from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.process.stopping import hearing, unless_stopped


class Start:
    """A start that lasts until it may end."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.broken_off = False

    async def __call__(self) -> str:
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.broken_off = True
            raise
        return "address"


async def test_what_stops_waits_from_the_beginning_and_no_longer_than_to_the_end() -> None:
    waits: list[str] = []

    async def stop() -> None:
        waits.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            waits.append("ended")

    async with hearing(stop) as stopping:
        assert waits == ["begun"]
        assert not stopping.done()
    assert waits == ["begun", "ended"]


async def test_a_start_that_nobody_stops_says_what_it_found() -> None:
    start, stop = Start(), asyncio.Event()
    start.may_end.set()
    async with hearing(stop.wait) as stopping:
        assert await unless_stopped(start(), stopping) == "address"
        stop.set()
        await asyncio.wait_for(stopping, 5)


async def test_a_start_is_broken_off_when_it_is_time_to_stop() -> None:
    start, stop = Start(), asyncio.Event()
    async with hearing(stop.wait) as stopping:
        asyncio.get_running_loop().call_soon(stop.set)
        assert await asyncio.wait_for(unless_stopped(start(), stopping), 5) is None
    assert start.broken_off


async def test_a_start_that_fails_says_why() -> None:
    async def fails() -> None:
        raise EngineUnavailable("dead")

    async with hearing(asyncio.Event().wait) as stopping:
        with pytest.raises(EngineUnavailable, match="dead"):
            await unless_stopped(fails(), stopping)
