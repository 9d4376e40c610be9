from __future__ import annotations

import asyncio

from pawsight_serving.observability.event_loop import unfinished_tasks


def test_without_a_loop_there_are_no_tasks() -> None:
    assert unfinished_tasks() == 0


async def test_tasks_are_counted_until_they_are_done() -> None:
    before = unfinished_tasks()
    task = asyncio.create_task(asyncio.Event().wait())
    assert unfinished_tasks() == before + 1
    task.cancel()
    await asyncio.wait({task})
    assert unfinished_tasks() == before
