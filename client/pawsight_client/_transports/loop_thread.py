"""An event loop in a thread of its own, so that callers without one can wait for coroutines."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import weakref
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, TypeVar

from pawsight_client._errors import CLOSED_MEANWHILE, ClientClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for any number of threads; starts with the first, ends with its owner."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False

    @property
    def inherited(self) -> bool:
        """Whether this process was forked from the one whose thread it is, and has none."""
        return self._process != os.getpid()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return what the coroutine does; who is interrupted while waiting cancels it.

        Raises:
            ClientClosed: `stop` was called, before or meanwhile.
        """
        try:
            # Under one lock: what is handed over while the loop ends would never be done.
            with self._starting:
                future = asyncio.run_coroutine_threadsafe(coroutine, self._started())
        except ClientClosed:
            coroutine.close()
            raise
        try:
            return future.result()
        except CancelledError as error:
            raise ClientClosed(CLOSED_MEANWHILE) from error
        finally:
            future.cancel()

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Have the loop's thread call something, without waiting for it or for a lock."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # closed already
                self._loop.call_soon_threadsafe(callback)

    def stop(self) -> None:
        """Cancel what is under way, and end the thread."""
        with self._starting:
            self._stopped = True
            if self._loop is not None:
                self._end()
                self._thread.join()

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._stopped:
            raise ClientClosed(CLOSED_MEANWHILE)
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=_run, args=[self._loop], name="pawsight-client", daemon=True
            )
            self._thread.start()
            # A client that nobody closed takes its thread along when it is collected.
            self._end = weakref.finalize(self, _stop, self._loop)
        return self._loop


def _stop(loop: asyncio.AbstractEventLoop) -> None:
    with contextlib.suppress(RuntimeError):  # closed already
        loop.call_soon_threadsafe(loop.stop)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        loop.run_until_complete(_end_tasks())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


async def _end_tasks() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
