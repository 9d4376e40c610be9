from __future__ import annotations

import asyncio
import time

import pytest

from pawsight_serving.errors import DeadlineExceeded
from pawsight_serving.requests.deadlines import Deadline


def test_a_deadline_that_is_ahead_has_time_left() -> None:
    deadline = Deadline.after(60)
    deadline.check()
    assert 0 < deadline.remaining_s() <= 60


def test_at_its_time_a_deadline_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    deadline = Deadline(100.0)
    for now_s in (100.0, 101.0):
        monkeypatch.setattr(time, "monotonic", lambda now_s=now_s: now_s)
        with pytest.raises(DeadlineExceeded, match="allow more time"):
            deadline.check()
        assert deadline.remaining_s() == 0.0
    monkeypatch.setattr(time, "monotonic", lambda: 99.0)
    deadline.check()
    assert deadline.remaining_s() == 1.0


async def test_what_is_enforced_ends_at_the_deadline() -> None:
    with pytest.raises(DeadlineExceeded, match="allow more time"):
        async with Deadline.after(0).enforced():
            await asyncio.Event().wait()


async def test_what_is_done_in_time_is_left_alone() -> None:
    async with Deadline.after(60).enforced():
        await asyncio.sleep(0)
    with pytest.raises(ZeroDivisionError):
        async with Deadline.after(60).enforced():
            raise ZeroDivisionError


async def test_a_callers_leaving_is_no_deadline() -> None:
    began = asyncio.Event()

    async def work() -> None:
        async with Deadline.after(60).enforced():
            began.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
