from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pawsight_serving.process.periodic import Periodic

if TYPE_CHECKING:
    import pytest


class Work:
    """Fails as it is told, then succeeds for ever."""

    def __init__(self, *failures: Exception | None) -> None:
        self._failures = list(failures)
        self.over = asyncio.Event()

    async def __call__(self) -> None:
        if not self._failures:
            self.over.set()
        elif (failure := self._failures.pop(0)) is not None:
            raise failure


async def test_what_goes_wrong_ends_nothing_and_is_logged_until_it_changes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    work = Work(OSError("full"), OSError("full"), ValueError("odd"), None, ValueError("odd"))
    periodic = Periodic(work, 0.001, "it could not be done")
    periodic.start()
    await asyncio.wait_for(work.over.wait(), 5)
    await periodic.stop()
    assert [record.getMessage() for record in caplog.records] == ["it could not be done"] * 3
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == [
        "full",
        "odd",
        "odd",
    ]


async def test_once_it_is_stopped_nothing_more_is_done() -> None:
    begun, left = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    periodic = Periodic(work, 0.0, "")
    await periodic.stop()
    periodic.start()
    await asyncio.wait_for(begun.wait(), 5)
    await periodic.stop()
    assert left.is_set()


async def test_what_it_waits_for_may_be_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    times, again = 0, asyncio.Event()

    async def work() -> None:
        nonlocal times
        times += 1
        if times > 1:
            again.set()
            return
        waited_for = asyncio.get_running_loop().create_future()
        waited_for.cancel()
        await waited_for

    periodic = Periodic(work, 0.001, "it could not be done")
    periodic.start()
    await asyncio.wait_for(again.wait(), 5)
    await periodic.stop()
    assert "it was cancelled" in caplog.text


async def test_it_can_be_done_now(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(OSError("full"))
    periodic = Periodic(work, 60, "it could not be done")
    await periodic.run()
    assert "full" in caplog.text
    await periodic.run()
    assert work.over.is_set()
