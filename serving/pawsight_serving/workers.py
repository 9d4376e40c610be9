"""Threads for work that would block the event loop.

Not `concurrent.futures`: its futures bring a lock and a condition each, and a second future on the
loop's side; at hundreds of requests a second that is as dear as the rest of a hand-over.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pawsight_serving.observation import QUEUE, current

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pawsight_serving.deadlines import Deadline

A = TypeVar("A")


class Workers:
    """A bounded pool of threads; work that is cancelled or late before it starts never runs."""

    def __init__(self, threads: int, name: str) -> None:
        self._waiting: SimpleQueue[_Work[Any] | None] = SimpleQueue()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._serve, name=f"{name}_{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, work: Callable[[], A], deadline: Deadline) -> A:
        """Return what `work` returns.

        Raises:
            DeadlineExceeded: the deadline passed before a thread was free.
        """
        return await self._submit(work, deadline)

    async def run_each(self, works: Sequence[Callable[[], A]], deadline: Deadline) -> list[A]:
        """Return what each of `works` returns, in order; the first failure cancels the rest."""
        if len(works) == 1:
            return [await self._submit(works[0], deadline)]
        futures = [self._submit(work, deadline) for work in works]
        try:
            return await asyncio.gather(*futures)
        finally:
            for future in futures:
                future.cancel()

    def close(self) -> None:
        """Drop what waits and end the threads once they are done."""
        self._closed = True
        with suppress(Empty):
            while True:
                if (work := self._waiting.get_nowait()) is not None:
                    work.drop()
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _submit(self, work: Callable[[], A], deadline: Deadline) -> asyncio.Future[A]:
        if self._closed:
            raise RuntimeError("the threads have ended")
        waiting = _Work(work, deadline)
        self._waiting.put(waiting)
        return waiting.future

    def _serve(self) -> None:
        while (work := self._waiting.get()) is not None:
            work.run()
            # What it holds is the caller's from now on, not this thread's until its next work.
            del work


class _Work(Generic[A]):
    """A call that waits for a thread, and the future of its result on the loop that asked."""

    __slots__ = ("_call", "_deadline", "_loop", "_observed", "_since_s", "future")

    def __init__(self, call: Callable[[], A], deadline: Deadline) -> None:
        self._call = call
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._observed = current()
        self._since_s = time.perf_counter()
        self.future: asyncio.Future[A] = self._loop.create_future()

    def run(self) -> None:
        """Call, in a thread of the pool, unless nobody waits any more."""
        if self.future.cancelled():
            return
        if self._observed is not None:
            self._observed.add(QUEUE, time.perf_counter() - self._since_s)
        try:
            self._deadline.check()
            result = self._call()
        except BaseException as error:  # noqa: BLE001 - it is the caller's
            self._tell(self._fail, error)
        else:
            self._tell(self._succeed, result)

    def drop(self) -> None:
        """Cancel what was not called yet."""
        self._tell(self.future.cancel)

    def _tell(self, what: Callable[..., object], *arguments: object) -> None:
        # A loop that is closed has nobody left who waits.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(what, *arguments)

    def _succeed(self, result: A) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def _fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)
