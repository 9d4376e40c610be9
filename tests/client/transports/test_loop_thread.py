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


def test_what_is_handed_over_beside_the_stop_is_not_waited_for_forever(loop: LoopThread) -> None:
    """Without the lock, a coroutine could reach a loop that has run for the last time."""
    handing_over, stopping = threading.Event(), threading.Event()
    outcome: list[str] = []

    class Slow(LoopThread):
        def _started(self) -> asyncio.AbstractEventLoop:
            started = super()._started()
            if threading.current_thread() is asking:
                handing_over.set()
                stopping.wait(0.5)
            return started

    slow = Slow()
    asking = threading.Thread(target=lambda: outcome.append(asked(slow)))
    slow.run(name_of_thread())
    asking.start()
    assert handing_over.wait(timeout=10)
    slow.stop()
    stopping.set()
    asking.join(timeout=10)
    assert not asking.is_alive()
    assert outcome in (["pawsight-client"], ["closed"])


def asked(loop: LoopThread) -> str:
    try:
        return loop.run(name_of_thread())
    except ClientClosed:
        return "closed"


def test_the_loop_can_be_told_something_without_waiting(loop: LoopThread) -> None:
    told = threading.Event()
    loop.call_soon(told.set)
    assert not told.is_set()  # it has not begun: nothing is under way
    loop.run(name_of_thread())
    loop.call_soon(told.set)
    assert told.wait(timeout=10)
    loop.stop()
    loop.call_soon(told.clear)
