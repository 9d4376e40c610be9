from __future__ import annotations

import asyncio

import pytest

from pawsight_serving.engines.single_flight import SingleFlight


class Work:
    """Counts its runs, and ends each when it may."""

    def __init__(self) -> None:
        self.at_once = self.most_at_once = 0
        self.begun: asyncio.Queue[int] = asyncio.Queue()
        self.may_end = asyncio.Event()
        self.runs = 0

    async def __call__(self) -> None:
        self.runs += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.put_nowait(self.runs)
        try:
            await self.may_end.wait()
        finally:
            self.at_once -= 1

    async def began(self) -> None:
        await asyncio.wait_for(self.begun.get(), 5)


@pytest.fixture
def work() -> Work:
    return Work()


async def test_all_who_come_during_a_run_share_the_next(work: Work) -> None:
    flight = SingleFlight(work)
    first = asyncio.create_task(flight.run())
    await work.began()
    others = [asyncio.create_task(flight.run()) for _ in range(20)]
    await asyncio.sleep(0)
    work.may_end.set()
    async with asyncio.timeout(5):
        await asyncio.gather(first, *others)
    assert (work.runs, work.most_at_once) == (2, 1)
    await flight.run()
    assert work.runs == 3


async def test_all_who_come_before_a_run_begins_share_it(work: Work) -> None:
    work.may_end.set()
    flight = SingleFlight(work, pause_s=0.05)
    await flight.run()
    async with asyncio.timeout(5):
        early = asyncio.create_task(flight.run())
        await asyncio.sleep(0.001)
        await asyncio.gather(early, *(flight.run() for _ in range(20)))
    assert work.runs == 2


async def test_who_leaves_interrupts_nothing(work: Work) -> None:
    flight = SingleFlight(work)
    leaving, staying = (asyncio.create_task(flight.run()) for _ in range(2))
    await work.began()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert not staying.done()
    work.may_end.set()
    await asyncio.wait_for(staying, 5)
    assert work.runs == 1


async def test_the_end_waits_for_the_run_or_interrupts_it(work: Work) -> None:
    flight = SingleFlight(work)
    await flight.finish()
    await flight.cancel()
    waiting = asyncio.create_task(flight.run())
    await work.began()
    finishing = asyncio.create_task(flight.finish())
    await asyncio.sleep(0)
    assert not finishing.done()
    await flight.cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(finishing, waiting)
    assert work.at_once == 0
