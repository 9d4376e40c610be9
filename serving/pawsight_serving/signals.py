"""The signals that ask a process to stop."""

from __future__ import annotations

import asyncio
import signal


async def stop_signal() -> None:
    """Wait for SIGINT or SIGTERM; the running loop handles both from the call on."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
