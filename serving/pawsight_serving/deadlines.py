"""A point in time after which an answer is of no use to its caller."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pawsight_serving.errors import DeadlineExceeded


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
            raise DeadlineExceeded(
                "The deadline passed before the answer was ready; allow more time or send less."
            )
