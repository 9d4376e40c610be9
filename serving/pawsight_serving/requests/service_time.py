"""Estimates how long the pictures in work will take, from how long the last ones took.

What an engine does at once is not known here: threads, batches, a Triton's instances. So a
picture's place in the queue is noted when it comes, and when it is done, its time is shared among
all that were before it. That share is as true of one thread as of a hundred, and follows a crowd
within a few pictures.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pawsight_serving.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of the last sixteen answers or so: enough to be steady, few enough to follow a change.
_WEIGHT: Final = 1 / 16


class ServiceTime:
    """Counts the pictures in work, and learns how long each of them keeps the next one waiting."""

    def __init__(self) -> None:
        self._in_work = 0
        self._each_s: float | None = None
        self._moved_s = 0.0

    @property
    def in_work(self) -> int:
        """How many pictures are in work."""
        return self._in_work

    def until_done_s(self, pictures: int = 1) -> float:
        """Return the seconds until so many more pictures would be done.

        It is 0 while nothing is in work: a request that waits for none is let in, and so a slow
        estimate is corrected. It is 0 as well before the first answer. While no picture is done,
        it is no less than the time since the last one was.
        """
        if not self._in_work:
            return 0.0
        learned_s = (self._in_work + pictures) * (self._each_s or 0.0)
        return max(learned_s, time.monotonic() - self._moved_s)

    @contextmanager
    def work(self, pictures: int) -> Iterator[None]:
        """Count the `with` body as work on so many pictures, and learn from how long it takes."""
        started_s = time.monotonic()
        if not self._in_work:
            self._moved_s = started_s
        self._in_work += pictures
        place = self._in_work
        try:
            yield
            self._learn(time.monotonic() - started_s, place)
        except RequestError:
            # Nothing is learned of what was never worked on, but somebody has been answered.
            self._moved_s = time.monotonic()
            raise
        finally:
            self._in_work -= pictures

    def _learn(self, took_s: float, place: int) -> None:
        self._moved_s = time.monotonic()
        each_s = took_s / max(1, place)
        known_s = each_s if self._each_s is None else self._each_s
        self._each_s = known_s + _WEIGHT * (each_s - known_s)
