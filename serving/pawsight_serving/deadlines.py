"""A point in time after which an answer is of no use to its caller."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pawsight_serving.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass(frozen=True, slots=True)
class Deadline:
    """A deadline on the monotonic clock; it travels with a request through every stage."""

    at_s: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline `seconds` from now."""
        return cls(time.monotonic() + seconds)

    def remaining_s(self) -> float:
        """Return the seconds left, never below zero."""
        return max(0.0, self.at_s - time.monotonic())

    def check(self) -> None:
        """Raise `DeadlineExceeded` where no time is left."""
        if time.monotonic() >= self.at_s:
            raise _passed()

    @asynccontextmanager
    async def enforced(self) -> AsyncIterator[None]:
        """Cancel the body at the deadline, and raise `DeadlineExceeded` then."""
        try:
            async with asyncio.timeout(self.remaining_s()):
                yield
        except TimeoutError as error:
            raise _passed() from error


def _passed() -> DeadlineExceeded:
    return DeadlineExceeded(
        "The deadline passed before the answer was ready; allow more time or send less."
    )
