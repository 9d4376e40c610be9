"""For how long a child process has been silent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

_READ_BYTES: Final = 1024
# This process was stopped, or had no processor, where it looks so much later than it looked last.
_LATE_S: Final = 2.5


class SignsOfLife:
    """What a process says once it takes calls: a line every second; see `Parent`.

    Args:
        said: its output, after the announcement.
    """

    def __init__(self, said: asyncio.StreamReader) -> None:
        self._said = said
        self._heard_s = self._looked_s = self._awake_since_s = time.monotonic()

    async def hear(self) -> None:
        """Listen until the process has ended: it holds its end open as long as it lives."""
        while await self._said.read(_READ_BYTES):
            self._heard_s = time.monotonic()

    def look(self, unanswered_s: float) -> float:
        """Return the seconds for which the process gave no sign or no answer; look every second.

        A look that comes late tells that this process was stopped itself, and heard nothing: the
        silence up to then does not count.

        Args:
            unanswered_s: for how long it has answered nothing.
        """
        now_s = time.monotonic()
        if now_s - self._looked_s > _LATE_S:
            self._awake_since_s = now_s
        self._looked_s = now_s
        return min(max(unanswered_s, now_s - self._heard_s), now_s - self._awake_since_s)
