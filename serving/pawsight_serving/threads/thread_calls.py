"""A call that the event loop hands to a thread, and its result.

Not `concurrent.futures`: its futures bring a lock and a condition each, and a second future on the
loop's side; at hundreds of requests a second that costs as much as the rest of a hand-over.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from pawsight_serving.errors import DeadlineExceeded
from pawsight_serving.observability.observation import current
from pawsight_serving.observability.observed import QUEUE

if TYPE_CHECKING:
    from collections.abc import Callable

    from pawsight_serving.requests.deadlines import Deadline

A = TypeVar("A")


class ThreadCall(Generic[A]):
    """A call that waits for a thread; `future` is its result, on the loop that made the call."""

    __slots__ = ("_deadline", "_observed", "_since_s", "future", "loop")

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self.loop = asyncio.get_running_loop()
        self._observed = current()
        self._since_s = time.perf_counter()
        self.future: asyncio.Future[A] = self.loop.create_future()

    def begin(self) -> bool:
        """Return, in a thread, whether the call is still to be run.

        It is not where its caller has left, nor past its deadline: then it fails with
        `DeadlineExceeded`.
        """
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
        """Count the time until the next `begin` as waiting."""
        self._since_s = time.perf_counter()

    def succeed(self, result: A) -> None:
        """Set the result; call it from any thread."""
        self._tell(self._set_result, result)

    def fail(self, error: BaseException) -> None:
        """Set the failure; call it from any thread."""
        self._tell(self._set_exception, error)

    def drop(self) -> None:
        """Cancel a call that has not begun."""
        self._tell(self.future.cancel)

    def _tell(self, what: Callable[..., object], *arguments: object) -> None:
        # A loop that is closed has nobody left who waits.
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(what, *arguments)

    def _set_result(self, result: A) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def _set_exception(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)
