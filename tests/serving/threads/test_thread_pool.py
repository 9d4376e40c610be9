from __future__ import annotations

import asyncio
import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import DeadlineExceeded
from pawsight_serving.requests.deadlines import Deadline
from pawsight_serving.threads.thread_pool import ThreadPool
from tests.serving.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def workers() -> Iterator[ThreadPool]:
    workers = ThreadPool(1, "test")
    yield workers
    workers.close()


async def test_work_runs_outside_the_event_loop_and_in_order(workers: ThreadPool) -> None:
    names = await workers.run_each(
        [lambda: threading.current_thread().name, lambda: "second"], Deadline.after(10)
    )
    assert names[0].startswith("test")
    assert names[1] == "second"
    assert await workers.run(lambda: 3, Deadline.after(10)) == 3


async def test_late_work_never_runs(workers: ThreadPool) -> None:
    ran: list[int] = []
    with pytest.raises(DeadlineExceeded):
        await workers.run(partial(ran.append, 1), Deadline.after(-1))
    assert ran == []


async def test_cancelled_work_never_runs(workers: ThreadPool) -> None:
    held, ran = threading.Event(), list[int]()
    holding = asyncio.create_task(workers.run(held.wait, Deadline.after(10)))
    waiting = asyncio.create_task(workers.run(partial(ran.append, 1), Deadline.after(10)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    held.set()
    await holding
    await workers.run(int, Deadline.after(10))
    assert ran == []


async def test_the_first_failure_cancels_the_rest(workers: ThreadPool) -> None:
    held, ran = threading.Event(), list[int]()

    def fail() -> None:
        raise ZeroDivisionError

    def wait() -> None:
        held.wait(10)

    def run() -> None:
        ran.append(1)

    with pytest.raises(ZeroDivisionError):
        await workers.run_each([fail, wait, run], Deadline.after(10))
    await asyncio.sleep(0)
    held.set()
    await workers.run(int, Deadline.after(10))
    assert ran == []


async def test_a_thread_without_work_holds_nothing_of_the_last(workers: ThreadPool) -> None:
    def work() -> None:
        """Stand for a picture in memory."""

    held = weakref.ref(work)
    await workers.run(work, Deadline.after(10))
    del work
    await until(lambda: held() is None)


async def test_closing_does_not_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    workers, begun, released = ThreadPool(1, "test"), threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        released.wait(30)

    hanging = asyncio.create_task(workers.run(hang, Deadline.after(30)))
    await asyncio.to_thread(begun.wait, 10)
    await asyncio.to_thread(workers.close, 0.05)
    assert "1 threads are still at work" in caplog.text
    released.set()
    await hanging
