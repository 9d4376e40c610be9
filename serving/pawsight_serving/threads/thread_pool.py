"""Threads for work that would block the event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol, TypeVar

from pawsight_serving.threads.thread_calls import ThreadCall

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pawsight_serving.requests.deadlines import Deadline
    from pawsight_serving.threads.dynamic_batching import DynamicBatcher

logger = logging.getLogger(__name__)

P = TypeVar("P")
A = TypeVar("A")


class ThreadPool:
    """A bounded pool of threads; work that is cancelled or late before it starts never runs."""

    def __init__(self, threads: int, name: str) -> None:
        self._waiting: SimpleQueue[_Job | None] = SimpleQueue()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._serve, name=f"{name}_{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def threads(self) -> int:
        """How many threads there are."""
        return len(self._threads)

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

    async def run_jointly(
        self, work: DynamicBatcher[P, A], prepare: Callable[[], P], deadline: Deadline
    ) -> A:
        """Prepare an item in a thread, and return its result from the batch that it is run in.

        Raises:
            DeadlineExceeded: the deadline passed before a thread was free.
        """
        self._check_open()
        future = work.add(prepare, deadline).future
        self._waiting.put(work)
        return await future

    def close(self, timeout_s: float = 10.0) -> None:
        """Drop what waits and end the threads once they are done.

        One that is not done within `timeout_s` is left behind, and ends with the process.
        """
        self._closed = True
        with suppress(Empty):
            while True:
                if (turn := self._waiting.get_nowait()) is not None:
                    turn.drop()
        for _ in self._threads:
            self._waiting.put(None)
        end_s = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, end_s - time.monotonic()))
        if left := sum(thread.is_alive() for thread in self._threads):
            logger.warning("%d threads are still at work after %g s", left, timeout_s)

    def _submit(self, work: Callable[[], A], deadline: Deadline) -> asyncio.Future[A]:
        self._check_open()
        waiting = _Work(work, deadline)
        self._waiting.put(waiting)
        return waiting.future

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the threads have ended")

    def _serve(self) -> None:
        while (turn := self._waiting.get()) is not None:
            turn.run()
            # What it holds is the caller's from now on, not this thread's until its next turn.
            del turn


class _Job(Protocol):
    """A piece of work for a thread."""

    def run(self) -> None:
        """Do it."""

    def drop(self) -> None:
        """Cancel it."""


class _Work(ThreadCall[A]):
    """A call that waits for a thread."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[[], A], deadline: Deadline) -> None:
        super().__init__(deadline)
        self._call = call

    def run(self) -> None:
        if not self.begin():
            return
        try:
            result = self._call()
        except BaseException as error:  # noqa: BLE001 - it is the caller's
            self.fail(error)
        else:
            self.succeed(result)
