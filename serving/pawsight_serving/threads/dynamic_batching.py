"""Calls of one kind that wait together are done together, in one go.

A call that comes alone is done alone and at once, and what piles up while others are being done
makes a batch. The only ones waited for are callers in this process that were just answered, while
others are ready: they ask again within a fraction of a millisecond, and a larger batch is done
faster.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from threading import Event, Semaphore
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from pawsight_serving.threads.batch_sizes import batches
from pawsight_serving.threads.thread_calls import ThreadCall

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Sequence

    from pawsight_serving.requests.deadlines import Deadline

P = TypeVar("P")
A = TypeVar("A")

# Batches that may be ready: more would take memory, and might come too late to be of use.
_AHEAD: Final = 2
# Callers in this process come back within a fraction of the pause; another thread prepares what
# they ask within a few glances.
_PAUSE_S: Final = 0.002
_GLANCE_S: Final = 0.00005
_MOST_SKIPPED: Final = 63


class DynamicBatcher(Generic[P, A]):
    """Prepares items one by one, and then runs those that are ready in one batch.

    Every thread prepares items, and pauses while enough are ready. One thread at a time leads: it
    runs what is ready until nothing is left.

    Args:
        work: does several prepared items in one go; returns each one's result, or its failure.
        sizes: how many it may take, in rising order; the first is 1.
        leaders: how many threads may lead at a time, where that much can be done side by side.
    """

    def __init__(
        self,
        work: Callable[[Sequence[P]], Sequence[A | Exception]],
        sizes: Sequence[int],
        leaders: int = 1,
    ) -> None:
        self._work = work
        self._sizes = sizes
        # Appended at one end and taken at the other, which a deque does without a lock.
        self._waiting: deque[tuple[ThreadCall[A], Callable[[], P]]] = deque()
        self._ready: deque[tuple[ThreadCall[A], P]] = deque()
        self._room = Semaphore(_AHEAD * sizes[-1])
        self._leads = Semaphore(leaders)
        # After pauses that brought nobody, so many are skipped; how many of them were already.
        self._pauses_to_skip = 0
        self._pauses_skipped = 0

    def add(self, prepare: Callable[[], P], deadline: Deadline) -> ThreadCall[A]:
        """Queue an item until a thread calls `run`."""
        item = ThreadCall[A](deadline)
        self._waiting.append((item, prepare))
        return item

    def run(self) -> None:
        """Prepare one item in this thread; then run what is ready, unless another thread does."""
        try:
            item, prepare = self._waiting.popleft()
        except IndexError:
            return
        # Where anything is ready somebody leads, so room is made without this thread.
        self._room.acquire()
        if not self._make_ready(item, prepare):
            self._room.release()
            return
        loop, told = item.loop, 0
        # The caller's from now on, with the answer and the picture.
        del item, prepare
        # Whoever fails to take the lead was seen by its holder, who looks once more afterwards.
        while self._ready and self._leads.acquire(blocking=False):
            try:
                if told and len(self._ready) < self._sizes[-1]:
                    self._let_callers_return(told, loop)
                taken = self._take()
                self._do(taken)
                told = len(taken)
                del taken
            finally:
                self._leads.release()

    def drop(self) -> None:
        """Cancel the items that wait."""
        while self._waiting:
            item, _ = self._waiting.popleft()
            item.drop()

    def _make_ready(self, item: ThreadCall[A], prepare: Callable[[], P]) -> bool:
        """Prepare an item; return whether it is ready."""
        if not item.begin():
            return False
        try:
            prepared = prepare()
        except BaseException as error:  # noqa: BLE001 - it is the caller's
            item.fail(error)
            return False
        item.wait()
        self._ready.append((item, prepared))
        return True

    def _let_callers_return(self, told: int, loop: AbstractEventLoop) -> None:
        """Pause until those who were just told, and ask again at once, are among the ready.

        Callers elsewhere take longer. Each time that fewer than half of them come, and fill no
        batch, twice as many of the next pauses are skipped.
        """
        if self._pauses_skipped < self._pauses_to_skip:
            self._pauses_skipped += 1
            return
        self._pauses_skipped = 0
        were_ready = len(self._ready)
        end_s = time.perf_counter() + _PAUSE_S
        gone_round = Event()
        # In its next round the loop wakes who was told, and behind them this.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(loop.call_soon, gone_round.set)
            gone_round.wait(_PAUSE_S)
        while self._waiting and len(self._ready) < self._sizes[-1] and time.perf_counter() < end_s:
            time.sleep(_GLANCE_S)
        now_ready = len(self._ready)
        if now_ready >= self._sizes[-1] or now_ready - were_ready >= told / 2:
            self._pauses_to_skip = 0
        else:
            self._pauses_to_skip = min(2 * self._pauses_to_skip + 1, _MOST_SKIPPED)

    def _take(self) -> list[tuple[ThreadCall[A], P]]:
        taken: list[tuple[ThreadCall[A], P]] = []
        size = max(size for size in self._sizes if size <= max(1, len(self._ready)))
        # Another leader may take the last one first.
        with suppress(IndexError):
            while len(taken) < size:
                taken.append(self._ready.popleft())
                self._room.release()
        return taken

    def _do(self, ready: Sequence[tuple[ThreadCall[A], P]]) -> None:
        wanted = [(item, prepared) for item, prepared in ready if item.begin()]
        # Some may have left since, or another leader came first: fewer are another size.
        for batch in batches(len(wanted), self._sizes):
            self._do_batch(wanted[batch])

    def _do_batch(self, wanted: Sequence[tuple[ThreadCall[A], P]]) -> None:
        try:
            results = self._work([prepared for _, prepared in wanted])
        except BaseException as error:  # noqa: BLE001 - it is the callers'
            for item, _ in wanted:
                item.fail(error)
            return
        for (item, _), result in zip(wanted, results, strict=True):
            if isinstance(result, Exception):
                item.fail(result)
            else:
                item.succeed(result)
