from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import DeadlineExceeded
from pawsight_serving.requests.deadlines import Deadline
from pawsight_serving.threads import dynamic_batching
from pawsight_serving.threads.dynamic_batching import DynamicBatcher
from pawsight_serving.threads.thread_pool import ThreadPool
from tests.serving.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LARGEST = 3


SIZES = range(1, LARGEST + 1)


class Doubling:
    """Doubles numbers in a thread that can be held; a negative number fails alone."""

    def __init__(self, sizes: Sequence[int] = SIZES) -> None:
        self.batches = list[list[int]]()
        self.may_run, self.running = threading.Event(), threading.Semaphore(0)
        self.work = DynamicBatcher(self._double, sizes)

    def _double(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(numbers))
        self.running.release()
        self.may_run.wait(10)
        return [ValueError(str(each)) if each < 0 else 2 * each for each in numbers]


@pytest.fixture
def workers() -> Iterator[ThreadPool]:
    workers = ThreadPool(2, "test")
    yield workers
    workers.close()


@pytest.fixture
def doubling() -> Iterator[Doubling]:
    doubling = Doubling()
    yield doubling
    doubling.may_run.set()


def ask(workers: ThreadPool, doubling: Doubling, *numbers: int) -> list[asyncio.Task[int]]:
    return [
        asyncio.create_task(workers.run_jointly(doubling.work, partial(int, n), Deadline.after(20)))
        for n in numbers
    ]


async def held(workers: ThreadPool, doubling: Doubling, number: int) -> asyncio.Task[int]:
    (first,) = ask(workers, doubling, number)
    assert await asyncio.to_thread(doubling.running.acquire, timeout=10)
    return first


async def prepared(doubling: Doubling, count: int) -> None:
    """Wait until so many are ready for the thread that leads."""

    def wait() -> None:
        ends_s = time.monotonic() + 10
        while len(doubling.work._ready) < count and time.monotonic() < ends_s:
            time.sleep(0.001)

    await asyncio.to_thread(wait)
    assert len(doubling.work._ready) == count


def hold_the_loop_until_batches(doubling: Doubling, count: int) -> None:
    ends_s = time.monotonic() + 10
    while len(doubling.batches) < count and time.monotonic() < ends_s:
        time.sleep(0.001)


async def test_what_piled_up_is_done_together_and_in_order(
    workers: ThreadPool, doubling: Doubling
) -> None:
    first = await held(workers, doubling, 1)
    others = ask(workers, doubling, 2, 3, 4, 5)
    await prepared(doubling, 4)
    doubling.may_run.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6, 8, 10]
    assert doubling.batches == [[1], [2, 3, 4], [5]]


async def test_no_more_is_prepared_than_is_soon_done(
    workers: ThreadPool, doubling: Doubling
) -> None:
    ready_before = list[int]()

    def prepare(number: int) -> int:
        ready_before.append(len(doubling.work._ready))
        return number

    first = await held(workers, doubling, 1)
    others = [
        asyncio.create_task(
            workers.run_jointly(doubling.work, partial(prepare, number), Deadline.after(20))
        )
        for number in range(2, 12)
    ]
    await prepared(doubling, 2 * LARGEST)
    # The thread has taken up one more, for which there is no room.
    await until(lambda: len(doubling.work._waiting) == len(others) - 2 * LARGEST - 1)
    doubling.may_run.set()
    assert await asyncio.gather(first, *others) == [2 * number for number in range(1, 12)]
    assert max(ready_before) == 2 * LARGEST - 1


async def test_room_that_a_failure_had_is_free_again(
    workers: ThreadPool, doubling: Doubling
) -> None:
    def unreadable() -> int:
        raise KeyError("unreadable")

    doubling.may_run.set()
    for _ in range(2 * LARGEST + 1):
        with pytest.raises(KeyError):
            await workers.run_jointly(doubling.work, unreadable, Deadline.after(20))
    assert await asyncio.gather(*ask(workers, doubling, 1, 2)) == [2, 4]


async def test_one_thread_alone_prepares_and_does_each(doubling: Doubling) -> None:
    workers = ThreadPool(1, "test")
    doubling.may_run.set()
    try:
        assert await asyncio.gather(*ask(workers, doubling, 1, 2, 3)) == [2, 4, 6]
    finally:
        workers.close()
    assert doubling.batches == [[1], [2], [3]]


async def test_each_has_its_own_failure(workers: ThreadPool, doubling: Doubling) -> None:
    def unreadable() -> int:
        raise KeyError("unreadable")

    first = await held(workers, doubling, 1)
    others = ask(workers, doubling, 2, -3, 4)
    unread = asyncio.create_task(workers.run_jointly(doubling.work, unreadable, Deadline.after(20)))
    with pytest.raises(KeyError):
        await unread
    doubling.may_run.set()
    results = await asyncio.gather(first, *others, return_exceptions=True)
    assert [repr(each) for each in results] == ["2", "4", "ValueError('-3')", "8"]


async def test_who_left_and_who_is_late_is_not_in_the_batch(
    workers: ThreadPool, doubling: Doubling
) -> None:
    first = await held(workers, doubling, 1)
    left, stays = ask(workers, doubling, 2, 3)
    soon = Deadline.after(0.2)
    late = asyncio.create_task(workers.run_jointly(doubling.work, lambda: 4, soon))
    await prepared(doubling, 3)
    left.cancel()
    await asyncio.wait([left])
    await until(lambda: soon.remaining_s() == 0)
    doubling.may_run.set()
    assert (await first, await stays) == (2, 6)
    with pytest.raises(DeadlineExceeded):
        await late
    assert doubling.batches == [[1], [3]]


async def test_batches_have_the_sizes_that_they_may(workers: ThreadPool) -> None:
    doubling = Doubling([1, 3])
    first = await held(workers, doubling, 1)
    others = ask(workers, doubling, 2, 3, 4, 5, 6)
    await prepared(doubling, 5)
    doubling.may_run.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6, 8, 10, 12]
    assert doubling.batches == [[1], [2, 3, 4], [5], [6]]


async def test_a_batch_that_some_have_left_has_no_other_size(workers: ThreadPool) -> None:
    doubling = Doubling([1, 3])
    first = await held(workers, doubling, 1)
    left, *others = ask(workers, doubling, 2, 3, 4)
    await prepared(doubling, 3)
    left.cancel()
    await asyncio.wait([left])
    doubling.may_run.set()
    assert await asyncio.gather(first, *others) == [2, 6, 8]
    assert doubling.batches == [[1], [3], [4]]


async def test_who_is_late_before_a_thread_is_free_is_not_prepared(workers: ThreadPool) -> None:
    seen = list[int]()
    work = DynamicBatcher[int, int](lambda numbers: list(numbers), SIZES)

    def prepare() -> int:
        seen.append(1)
        return 1

    with pytest.raises(DeadlineExceeded):
        await workers.run_jointly(work, prepare, Deadline.after(-1))
    assert seen == []


async def test_a_caller_that_asks_again_at_once_is_in_the_next_batch(
    workers: ThreadPool, doubling: Doubling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamic_batching, "_PAUSE_S", 10.0)

    async def ask_twice() -> list[int]:
        # Not by tasks of its own: each of them would take a round of the loop more.
        return [
            await workers.run_jointly(doubling.work, partial(int, number), Deadline.after(20))
            for number in (1, 4)
        ]

    twice = asyncio.create_task(ask_twice())
    assert await asyncio.to_thread(doubling.running.acquire, timeout=10)
    others = ask(workers, doubling, 2, 3)
    await prepared(doubling, 2)
    doubling.may_run.set()
    assert (await twice, await asyncio.gather(*others)) == ([2, 8], [4, 6])
    assert doubling.batches == [[1], [2, 3, 4]]


async def test_nobody_waits_long_for_callers_of_a_busy_loop(
    workers: ThreadPool, doubling: Doubling
) -> None:
    first = await held(workers, doubling, 1)
    others = ask(workers, doubling, 2, 3)
    await prepared(doubling, 2)
    doubling.may_run.set()
    hold_the_loop_until_batches(doubling, 2)
    assert doubling.batches == [[1], [2, 3]]
    assert await asyncio.gather(first, *others) == [2, 4, 6]


async def test_callers_that_do_not_come_back_are_waited_for_ever_less(
    workers: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = list[threading.Event]()

    def counted() -> threading.Event:
        pauses.append(threading.Event())
        return pauses[-1]

    monkeypatch.setattr(dynamic_batching, "Event", counted)
    doubling = Doubling([1, 1000])
    first = await held(workers, doubling, 0)
    others = ask(workers, doubling, *range(1, 151))
    await prepared(doubling, 150)
    doubling.may_run.set()
    assert await asyncio.gather(first, *others) == [2 * number for number in range(151)]
    # Before the 1st, 3rd, 7th, 15th, 31st, 63rd and 127th of those that follow the first.
    assert len(pauses) == 7


async def test_callers_whose_loop_has_ended_hold_up_nobody(
    workers: ThreadPool, doubling: Doubling
) -> None:
    async def leave() -> None:
        doubling.work.add(partial(int, 2), Deadline.after(20))
        doubling.work.add(partial(int, 3), Deadline.after(20))

    def leave_in_a_loop_of_its_own() -> None:
        asyncio.run(leave())
        leads = threading.Thread(target=doubling.work.run)
        leads.start()
        assert doubling.running.acquire(timeout=10)
        doubling.work.run()
        doubling.may_run.set()
        leads.join(10)

    await asyncio.to_thread(leave_in_a_loop_of_its_own)
    assert doubling.batches == [[2], [3]]
    assert await ask(workers, doubling, 4)[0] == 8


async def test_several_may_lead(workers: ThreadPool) -> None:
    both = threading.Barrier(2, timeout=10)

    def meet(numbers: Sequence[int]) -> list[int]:
        both.wait()
        return list(numbers)

    work = DynamicBatcher[int, int](meet, [1], leaders=2)
    asked = (workers.run_jointly(work, partial(int, n), Deadline.after(20)) for n in (1, 2))
    assert await asyncio.gather(*asked) == [1, 2]


@pytest.mark.parametrize("leaders", [1, 3])
async def test_many_callers_and_threads_lose_nobody(leaders: int) -> None:
    workers = ThreadPool(4, "test")
    work = DynamicBatcher[int, int](lambda numbers: [2 * each for each in numbers], SIZES, leaders)

    async def ask_often(number: int) -> list[int]:
        return [
            await workers.run_jointly(work, lambda: number, Deadline.after(20)) for _ in range(50)
        ]

    try:
        answers = await asyncio.gather(*map(ask_often, range(30)))
    finally:
        workers.close()
    assert answers == [[2 * number] * 50 for number in range(30)]


async def test_a_failure_of_the_work_is_everybodys(workers: ThreadPool) -> None:
    def broken(numbers: Sequence[int]) -> list[int | Exception]:
        raise ZeroDivisionError

    work = DynamicBatcher(broken, SIZES)
    with pytest.raises(ZeroDivisionError):
        await workers.run_jointly(work, lambda: 1, Deadline.after(10))


async def test_what_waits_when_the_threads_end_is_cancelled(doubling: Doubling) -> None:
    workers = ThreadPool(1, "test")
    first = await held(workers, doubling, 1)
    (waiting,) = ask(workers, doubling, 2)
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(workers.close))
    with pytest.raises(asyncio.CancelledError):
        await waiting
    doubling.may_run.set()
    await closing
    assert await first == 2
    with pytest.raises(RuntimeError, match="ended"):
        await workers.run_jointly(doubling.work, lambda: 3, Deadline.after(10))
