"""Work that is done again and again in the background, whatever goes wrong with it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)


class Periodic:
    """Does its work, waits, and does it again; what goes wrong is logged, and ends nothing.

    Args:
        work: what to do.
        interval_s: the pause between two times.
        failure: the sentence for the log where it fails; one that lasts is logged once.
    """

    def __init__(
        self, work: Callable[[], Awaitable[object]], interval_s: float, failure: str
    ) -> None:
        self._work = work
        self._interval_s = interval_s
        self._failure = failure
        self._logged = ""
        self._task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Do the work once, now."""
        try:
            await self._work()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # What the work waited for was cancelled, and not this.
            logger.warning("%s: it was cancelled", self._failure)
        except Exception as error:
            if repr(error) != self._logged:
                logger.exception("%s", self._failure)
            self._logged = repr(error)
        else:
            self._logged = ""

    def start(self) -> None:
        """Do the work after a pause, and again and again."""
        self._task = asyncio.create_task(self._repeat())

    async def stop(self) -> None:
        """Stop doing it; where it is being done, it is cancelled."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            await self.run()
