"""Cancels the work on a request when its caller closes the connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from types import TracebackType

    from starlette.requests import Request


class CancelOnDisconnect:
    """Cancels the `async with` body when the caller leaves, and raises `ClientDisconnect`.

    It watches from `watch` on. Before that the request's body is read from the channel that also
    reports that the caller left, and reading it raises `ClientDisconnect` by itself.
    """

    def __init__(self, request: Request) -> None:
        self._receive = request.receive
        self._watching: asyncio.Task[None] | None = None
        self._left = False

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be cancelled")
        self._task, self._cancelling = task, task.cancelling()
        return self

    def watch(self) -> None:
        """Watch from now on; the request's body has been read."""
        self._watching = asyncio.create_task(self._watch())

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._watching is not None:
            self._watching.cancel()
            # As it ends it holds this, and both would be left to Python's collector.
            self._watching = None
        left = self._left and self._task.uncancel() <= self._cancelling
        if left and kind is asyncio.CancelledError:
            raise ClientDisconnect from error

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._left = True
        self._task.cancel()
