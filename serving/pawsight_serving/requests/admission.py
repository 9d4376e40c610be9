"""Bounds on what is served at once: by the number of requests, their bytes and the time left.

A request that does not fit is refused at once, so that its caller can try elsewhere.
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pawsight_serving.errors import Overloaded
from pawsight_serving.requests.byte_budget import ByteBudget
from pawsight_serving.requests.service_time import ServiceTime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pawsight_serving.requests.deadlines import Deadline

# What is expected is not certain: this share of a caller's time may be spent on waiting for it.
_EXPECTED: Final = 0.7


class Admission:
    """Counts the requests in flight and their bytes, and estimates when they will be done.

    Args:
        limit: how many requests may be in flight at once, however long they may wait.
        bytes_held: bounds the bytes that they hold, together with those of other admissions that
            share it; none by default.
    """

    def __init__(self, limit: int, bytes_held: ByteBudget | None = None) -> None:
        self._service_time = ServiceTime()
        self._limit = limit
        self._bytes = bytes_held or ByteBudget()
        self._in_flight = 0
        self._served = 0
        self._refused = 0
        self._left_s = -math.inf

    @property
    def in_flight(self) -> int:
        """How many requests hold a place."""
        return self._in_flight

    @property
    def served(self) -> int:
        """How many requests are being served now; a stream between two pictures is not."""
        return self._served

    @property
    def refused(self) -> int:
        """How many were refused so far."""
        return self._refused

    def idle_s(self) -> float:
        """Return the seconds since the last request was served; 0 while one is."""
        return 0.0 if self._served else time.monotonic() - self._left_s

    @contextmanager
    def place(self, size: int = 0, deadline: Deadline | None = None) -> Iterator[Place]:
        """Count the `with` body as one request of `size` bytes, or raise `Overloaded` at once.

        With a deadline, `Overloaded` is raised also where the work in progress leaves no time for
        one more picture.
        """
        if deadline is not None:
            self._check(1, deadline)
        with self.stream() as place, place.more(size):
            yield place

    @contextmanager
    def stream(self) -> Iterator[Place]:
        """Hold a place for a stream during the `with` body, or raise `Overloaded` at once.

        The stream counts as served only within `Place.more`, called for each request on it.
        """
        if self._in_flight >= self._limit:
            self._refuse(f"{self._limit} requests of this kind")
        place = Place(self)
        self._in_flight += 1
        try:
            yield place
        finally:
            self._in_flight -= 1
            self._bytes.give(place.grown)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Count one request as served during the `with` body."""
        self._served += 1
        try:
            yield
        finally:
            self._served -= 1
            self._left_s = time.monotonic()

    @contextmanager
    def work(self, pictures: int, deadline: Deadline) -> Iterator[None]:
        """Count the `with` body as work on so many pictures.

        Raise `Overloaded` where they would be done too late. This is checked again here, as other
        work may have come since the request took its place: holding a place is not yet work, for
        a caller may still be sending, and a stream may be idle.
        """
        self._check(pictures, deadline)
        with self._service_time.work(pictures):
            yield

    def take(self, size: int) -> None:
        """Count bytes as held, or raise `Overloaded` at once."""
        if not self._bytes.take(size):
            self._refuse(f"{self._bytes.limit} bytes")

    def give(self, size: int) -> None:
        """Stop counting bytes as held."""
        self._bytes.give(size)

    def _check(self, pictures: int, deadline: Deadline) -> None:
        expected_s = self._service_time.until_done_s(pictures)
        if expected_s > _EXPECTED * deadline.remaining_s():
            self._refused += 1
            raise Overloaded(
                f"The server is busy for another {max(0.1, expected_s):.1f} seconds, longer than "
                "this request may wait; try again then, or allow more time.",
                expected_s,
            )

    def _refuse(self, limit: str) -> None:
        self._refused += 1
        raise Overloaded(
            f"The server takes at most {limit} at once, and no more fit now; wait a moment, then "
            "try again.",
            max(1.0, self._service_time.until_done_s()),
        )


class Place:
    """One request's place."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.grown = 0

    def grow(self, size: int) -> None:
        """Hold `size` more bytes until the place is left, or raise `Overloaded` at once."""
        self._admission.take(size)
        self.grown += size

    @contextmanager
    def more(self, size: int) -> Iterator[None]:
        """Serve `size` more bytes during the `with` body, or raise `Overloaded` at once."""
        self._admission.take(size)
        try:
            with self._admission.serving():
                yield
        finally:
            self._admission.give(size)
