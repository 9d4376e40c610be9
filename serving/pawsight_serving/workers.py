"""Threads for work that would block the event loop."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from pawsight_serving.observation import QUEUE, current

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pawsight_serving.deadlines import Deadline

A = TypeVar("A")


class Workers:
    """A bounded pool of threads; work that is cancelled or late before it starts never runs."""

    def __init__(self, threads: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

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
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self, work: Callable[[], A], deadline: Deadline) -> asyncio.Future[A]:
        observed, since_s = current(), time.perf_counter()

        def unless_late() -> A:
            if observed is not None:
                observed.add(QUEUE, time.perf_counter() - since_s)
            deadline.check()
            return work()

        return asyncio.get_running_loop().run_in_executor(self._pool, unless_late)
