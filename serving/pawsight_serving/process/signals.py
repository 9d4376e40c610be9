"""The signals that ask a process to stop."""

from __future__ import annotations

import asyncio
import signal


async def stop_signal() -> None:
    """Wait for SIGINT, SIGTERM or SIGHUP; the running loop handles them from the call on.

    SIGHUP, by which a terminal that is closed ends its programs, stays ignored below `nohup`.
    """
    stop = asyncio.Event()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    for number in numbers:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
