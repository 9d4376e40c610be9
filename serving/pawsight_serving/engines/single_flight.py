"""Work that many ask for at once, done once for all of them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class SingleFlight:
    """Does one piece of work at a time, for all who wait for it.

    Args:
        work: what to do; it raises nothing.
        pause_s: the least time between two runs.
    """

    def __init__(self, work: Callable[[], Awaitable[None]], pause_s: float = 0.0) -> None:
        self._work = work
        self._pause_s = pause_s
        self._not_before_s = 0.0
        self._begun = False
        self._running: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Return when the work has been done from beginning to end since this was called.

        A caller that leaves interrupts nothing.
        """
        if self._running is not None and self._begun:
            # That run may have begun before the change that this caller knows of.
            await asyncio.wait({self._running})
        if self._running is None or self._running.done():
            self._begun = False
            self._running = asyncio.create_task(self._run())
        await asyncio.wait({self._running})

    async def finish(self) -> None:
        """Wait for the run under way."""
        if self._running is not None:
            await asyncio.wait({self._running})

    async def cancel(self) -> None:
        """Interrupt the run under way."""
        if self._running is not None:
            self._running.cancel()
        await self.finish()

    async def _run(self) -> None:
        await asyncio.sleep(max(0.0, self._not_before_s - time.monotonic()))
        self._begun = True
        try:
            await self._work()
        finally:
            self._not_before_s = time.monotonic() + self._pause_s
