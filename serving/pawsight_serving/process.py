"""What every serving process does around its servers."""

from __future__ import annotations

import asyncio
import logging
import signal


def start_logging() -> None:
    """Write the log to standard error."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


def stop_signal() -> asyncio.Event:
    """Return an event that SIGINT or SIGTERM sets; the running loop handles both from now on."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
