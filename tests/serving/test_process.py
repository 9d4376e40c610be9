from __future__ import annotations

import asyncio
import os
import signal

import pytest

from pawsight_serving.process import stop_signal, unfinished_tasks


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_wait(number: signal.Signals) -> None:
    waiting = asyncio.create_task(stop_signal())
    await asyncio.sleep(0)
    assert not waiting.done()
    os.kill(os.getpid(), number)
    await asyncio.wait_for(waiting, 5)
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().remove_signal_handler(each)


def test_without_a_loop_there_are_no_tasks() -> None:
    assert unfinished_tasks() == 0


async def test_tasks_are_counted_until_they_are_done() -> None:
    before = unfinished_tasks()
    task = asyncio.create_task(asyncio.Event().wait())
    assert unfinished_tasks() == before + 1
    task.cancel()
    await asyncio.wait({task})
    assert unfinished_tasks() == before
