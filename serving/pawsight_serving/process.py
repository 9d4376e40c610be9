"""What every serving process does around its servers."""

from __future__ import annotations

import asyncio
import signal


async def stop_signal() -> None:
    """Wait for SIGINT or SIGTERM; the running loop handles both from the call on."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


def unfinished_tasks() -> int:
    """Return how many tasks of the running loop are not done; 0 where no loop runs."""
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return 0
