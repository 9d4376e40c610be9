from __future__ import annotations

import asyncio
import os
import signal

import pytest

from pawsight_serving.process.signals import stop_signal

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", NUMBERS)
async def test_a_signal_ends_the_wait(number: signal.Signals) -> None:
    # Whatever the shell that runs the tests, below `nohup` too.
    before = signal.signal(number, signal.SIG_DFL)
    waiting = asyncio.create_task(stop_signal())
    await asyncio.sleep(0)
    assert not waiting.done()
    os.kill(os.getpid(), number)
    await asyncio.wait_for(waiting, 5)
    for each in NUMBERS:
        asyncio.get_running_loop().remove_signal_handler(each)
    signal.signal(number, before)


async def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        waiting = asyncio.create_task(stop_signal())
        await asyncio.sleep(0)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        waiting.cancel()
    finally:
        signal.signal(signal.SIGHUP, before)
        for each in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(each)
