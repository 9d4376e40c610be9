"""A bound on the requests in flight: beyond it a caller hears so at once, and can go elsewhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pawsight_serving.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Iterator


class Admission:
    """Counts the requests in flight.

    Args:
        limit: how many are let in at once.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._in_flight = 0
        self._refused = 0

    @property
    def in_flight(self) -> int:
        """How many are in."""
        return self._in_flight

    @property
    def refused(self) -> int:
        """How many were refused so far."""
        return self._refused

    def check(self) -> None:
        """Raise `Overloaded` where no place is free; takes none."""
        if self._in_flight >= self._limit:
            self._refused += 1
            raise Overloaded(
                f"The server has {self._limit} requests in flight and takes no more; "
                "wait a moment, then try again."
            )

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for the body, or raise `Overloaded` at once."""
        self.check()
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1
