"""A point in time after which an answer is of no use to its caller."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pawsight_serving.errors import DeadlineExceeded

if TYPE_CHECKING:
    from types import TracebackType


@dataclass(frozen=True, slots=True, order=True)
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

    def passed(self) -> bool:
        """Return whether no time is left."""
        return time.monotonic() >= self.at_s

    def check(self) -> None:
        """Raise `DeadlineExceeded` where no time is left."""
        if self.passed():
            raise _passed()

    def enforced(self) -> Enforced:
        """Cancel the `async with` body at the deadline, and raise `DeadlineExceeded`."""
        return Enforced(self.remaining_s())


class Enforced:
    """The asynchronous context manager that `Deadline.enforced` returns."""

    __slots__ = ("_remaining_s", "_timeout")

    def __init__(self, remaining_s: float) -> None:
        self._remaining_s = remaining_s

    async def __aenter__(self) -> None:
        self._timeout = asyncio.timeout(self._remaining_s)
        await self._timeout.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, traceback)
        except TimeoutError as passed:
            raise _passed() from passed


def _passed() -> DeadlineExceeded:
    return DeadlineExceeded(
        "The deadline passed before the answer was ready; allow more time or send less."
    )
