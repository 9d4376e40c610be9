"""Whether a process that takes calls still answers any, found out by asking again and again.

One that is frozen keeps its connections: calls to it would wait until their deadlines.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_EVERY_S: Final = 1.0


class Pulse:
    """Knows for how long a process has been silent.

    Args:
        answers: asks the process, within a bound; False where it said nothing in that time.
    """

    def __init__(self, answers: Callable[[], Awaitable[bool]]) -> None:
        self._answers = answers
        self._heard_s = 0.0
        self._asking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Ask from now on."""
        self._heard_s = time.monotonic()
        self._asking = asyncio.create_task(self._ask())

    async def stop(self) -> None:
        """Ask no more."""
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    def silent_s(self) -> float:
        """Return the seconds since the last answer; 0 while nobody asks."""
        return 0.0 if self._asking is None else time.monotonic() - self._heard_s

    async def _ask(self) -> None:
        while True:
            if await self._answers():
                self._heard_s = time.monotonic()
            await asyncio.sleep(_EVERY_S)
