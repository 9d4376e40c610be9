"""Coroutines that threads wait for."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import TYPE_CHECKING

import pytest

from pawsight_client import ClientClosed
from pawsight_client._transports.loop_thread import LoopThread

if TYPE_CHECKING:
    from collections.abc import Iterator


async def name_of_thread() -> str:
    return threading.current_thread().name


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    yield loop
    loop.stop()


def test_coroutines_run_in_one_thread_beside_the_callers(loop: LoopThread) -> None:
    assert loop.run(name_of_thread()) == loop.run(name_of_thread()) == "pawsight-client"
    assert not loop.inherited


def test_what_is_raised_comes_to_the_caller(loop: LoopThread) -> None:
    async def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        loop.run(fail())


def test_a_stopped_loop_ends_what_waits_and_takes_no_more(loop: LoopThread) -> None:
    waiting = threading.Event()
    ended: list[str] = []

    async def wait() -> None:
        waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("coroutine")

    def ask() -> None:
        try:
            loop.run(wait())
        except ClientClosed:
            ended.append("caller")

    asking = threading.Thread(target=ask)
    asking.start()
    assert waiting.wait(timeout=10)
    loop.stop()
    asking.join(timeout=10)
    assert ended == ["coroutine", "caller"]
    with pytest.raises(ClientClosed):
        loop.run(name_of_thread())
    loop.stop()


def test_a_loop_that_nobody_stopped_ends_when_it_is_collected() -> None:
    async def this_thread() -> threading.Thread:
        return threading.current_thread()

    loop = LoopThread()
    thread = loop.run(this_thread())
    del loop
    gc.collect()
    thread.join(timeout=10)
    assert not thread.is_alive()
