"""A call's way from the event loop into a thread, and its result's way back.

Not `concurrent.futures`: its futures bring a lock and a condition each, and a second future on the
loop's side; at hundreds of requests a second that is as dear as the rest of a hand-over.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from pawsight_serving.errors import DeadlineExceeded
from pawsight_serving.observation import current
from pawsight_serving.observed import QUEUE

if TYPE_CHECKING:
    from collections.abc import Callable

    from pawsight_serving.deadlines import Deadline

A = TypeVar("A")


class ThreadCall(Generic[A]):
    """Waits for a thread; `future` is its result's, on the loop that asked."""

    __slots__ = ("_deadline", "_loop", "_observed", "_since_s", "future")

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._observed = current()
        self._since_s = time.perf_counter()
        self.future: asyncio.Future[A] = self._loop.create_future()

    def begin(self) -> bool:
        """Return, in a thread, whether somebody still waits; whose time is up hears so."""
        if self.future.cancelled():
            return False
        if self._observed is not None:
            self._observed.add(QUEUE, time.perf_counter() - self._since_s)
        try:
            self._deadline.check()
        except DeadlineExceeded as late:
            self.fail(late)
            return False
        return True

    def wait(self) -> None:
        """Count the time from now on as waiting, until it begins again."""
        self._since_s = time.perf_counter()

    def succeed(self, result: A) -> None:
        """Give the result, from any thread."""
        self._tell(self._set_result, result)

    def fail(self, error: BaseException) -> None:
        """Give the failure, from any thread."""
        self._tell(self._set_exception, error)

    def drop(self) -> None:
        """Cancel what was not begun."""
        self._tell(self.future.cancel)

    def _tell(self, what: Callable[..., object], *arguments: object) -> None:
        # A loop that is closed has nobody left who waits.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(what, *arguments)

    def _set_result(self, result: A) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def _set_exception(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)
