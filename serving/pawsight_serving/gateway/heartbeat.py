"""Whether a process that takes calls still answers any, found out by asking again and again.

One that is frozen keeps its connections: calls to it would wait until their deadlines.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from pawsight_serving.process.periodic import Periodic

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_EVERY_S: Final = 1.0


class Heartbeat:
    """Knows for how long a process has been silent.

    Args:
        answers: asks the process, within a bound; False where it said nothing in that time.
    """

    def __init__(self, answers: Callable[[], Awaitable[bool]]) -> None:
        self._answers = answers
        self._heard_s: float | None = None
        self._asking = Periodic(
            self._ask, _EVERY_S, "a process could not be asked for its heartbeat"
        )

    def start(self) -> None:
        """Ask from now on."""
        self._heard_s = time.monotonic()
        self._asking.start()

    async def stop(self) -> None:
        """Stop asking."""
        await self._asking.stop()
        self._heard_s = None

    def since_last_answer_s(self) -> float:
        """Return the seconds since the last answer; 0 while nobody asks."""
        return 0.0 if self._heard_s is None else time.monotonic() - self._heard_s

    async def _ask(self) -> None:
        if await self._answers():
            self._heard_s = time.monotonic()
