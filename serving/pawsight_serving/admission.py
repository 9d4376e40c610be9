"""A bound on the work in flight: beyond it a caller hears so at once, and can go elsewhere."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pawsight_serving.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Iterator

_ANY: Final = 2**63


class Admission:
    """Counts the requests in flight, and the bytes that they brought.

    Args:
        limit: how many requests are let in at once.
        max_bytes: how many bytes they may hold together.
    """

    def __init__(self, limit: int, max_bytes: int = _ANY) -> None:
        self._limit = limit
        self._max_bytes = max_bytes
        self._in_flight = 0
        self._bytes = 0
        self._refused = 0
        self._left_s = -math.inf

    @property
    def in_flight(self) -> int:
        """How many requests are in."""
        return self._in_flight

    @property
    def bytes_in_flight(self) -> int:
        """How many bytes they hold."""
        return self._bytes

    @property
    def refused(self) -> int:
        """How many were refused so far."""
        return self._refused

    def idle_s(self) -> float:
        """Return the seconds since the last request left; 0 while one is in."""
        return 0.0 if self._in_flight else time.monotonic() - self._left_s

    @contextmanager
    def place(self, size: int = 0) -> Iterator[Place]:
        """Hold a place and so many bytes for the body, or raise `Overloaded` at once."""
        if self._in_flight >= self._limit:
            self._refuse(f"{self._limit} requests")
        place = Place(self)
        with place.more(size):
            self._in_flight += 1
            try:
                yield place
            finally:
                self._in_flight -= 1
                self._bytes -= place.grown
                self._left_s = time.monotonic()

    def take(self, size: int) -> None:
        """Count bytes as held, or raise `Overloaded` at once."""
        if self._bytes + size > self._max_bytes:
            self._refuse(f"{self._max_bytes} bytes")
        self._bytes += size

    def give(self, size: int) -> None:
        """Count bytes as held no more."""
        self._bytes -= size

    def _refuse(self, limit: str) -> None:
        self._refused += 1
        raise Overloaded(
            f"The server has {limit} in flight and takes no more; wait a moment, then try again."
        )


class Place:
    """One request's place."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.grown = 0

    def grow(self, size: int) -> None:
        """Hold so many bytes more until the place is left, or raise `Overloaded` at once."""
        self._admission.take(size)
        self.grown += size

    @contextmanager
    def more(self, size: int) -> Iterator[None]:
        """Hold so many bytes more for the body, or raise `Overloaded` at once."""
        self._admission.take(size)
        try:
            yield
        finally:
            self._admission.give(size)
