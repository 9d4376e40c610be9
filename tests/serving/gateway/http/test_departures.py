from __future__ import annotations

import asyncio

import pytest
from starlette.requests import ClientDisconnect, Request

from pawsight_serving.gateway.http.departures import unless_caller_leaves


class Caller:
    """Sends nothing more, and leaves when told."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.request = Request({"type": "http"}, self._receive)

    async def _receive(self) -> dict[str, str]:
        await self.left.wait()
        return {"type": "http.disconnect"}


async def test_who_stays_gets_the_answer() -> None:
    async def work() -> str:
        return "answer"

    assert await unless_caller_leaves(Caller().request, work()) == "answer"


async def test_the_works_own_failure_is_raised() -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await unless_caller_leaves(Caller().request, work())


async def test_the_work_for_one_who_leaves_is_cancelled() -> None:
    caller, began, ended = Caller(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    answer = asyncio.create_task(unless_caller_leaves(caller.request, work()))
    await asyncio.wait_for(began.wait(), 5)
    caller.left.set()
    with pytest.raises(ClientDisconnect):
        await answer
    assert ended.is_set()
    assert len(asyncio.all_tasks()) == 1


async def test_a_cancelled_endpoint_cancels_its_work() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    answer = asyncio.create_task(unless_caller_leaves(Caller().request, work()))
    for _ in range(3):
        await asyncio.sleep(0)
    answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answer
    assert ended.is_set()
