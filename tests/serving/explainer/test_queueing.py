from __future__ import annotations

import asyncio

import pytest

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explainer.queueing import Queue
from pawsight_serving.requests.admission import Admission


async def settled() -> None:
    """Let every task go on as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


class Worker:
    """Takes a turn, and keeps it until it may end."""

    def __init__(self, queue: Queue) -> None:
        self.working = False
        self.may_end = asyncio.Event()
        self.task = asyncio.create_task(self._work(queue))

    async def _work(self, queue: Queue) -> None:
        async with queue.turn():
            self.working = True
            await self.may_end.wait()
        self.working = False


async def end(*workers: Worker) -> None:
    for worker in workers:
        worker.may_end.set()
    await asyncio.gather(*(worker.task for worker in workers))


@pytest.mark.parametrize("at_once", [1, 2])
async def test_so_many_work_at_once_and_the_others_in_their_order(at_once: int) -> None:
    queue = Queue(Admission(9), at_once, 100)
    workers = [Worker(queue) for _ in range(4)]
    await settled()
    assert [each.working for each in workers] == [number < at_once for number in range(4)]
    await end(workers[0])
    await settled()
    assert [each.working for each in workers[1:]] == [number < at_once for number in range(3)]
    await end(*workers[1:])


async def test_who_leaves_or_fails_keeps_nobody_waiting() -> None:
    queue = Queue(Admission(9), 1, 100)
    first, leaving, last = (Worker(queue) for _ in range(3))
    await settled()
    leaving.task.cancel()
    await asyncio.wait([leaving.task])
    assert not last.working
    first.task.cancel()
    await asyncio.wait([first.task])
    await settled()
    assert last.working
    await end(last)


def test_a_request_may_hold_so_many_bytes_and_no_more() -> None:
    queue = Queue(Admission(9), 1, 100)
    queue.check_size(2, 10, 10)
    queue.check_size(1, 25, 0)
    with pytest.raises(OptionInvalid, match="takes up to 104 bytes of maps; at most 100 are held"):
        queue.check_size(1, 26, 0)
    with pytest.raises(OptionInvalid, match="takes up to 102 bytes of maps and drawings; at most"):
        queue.check_size(2, 10, 11)
