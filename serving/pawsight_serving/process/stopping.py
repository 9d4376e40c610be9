"""Hears that it is time to stop from the beginning, so that a start can be broken off cleanly."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

T = TypeVar("T")


@asynccontextmanager
async def hearing(stop: Callable[[], Awaitable[object]]) -> AsyncIterator[asyncio.Future[object]]:
    """Yield what is done when it is time to stop; `stop` has begun to wait by then."""
    stopping: asyncio.Future[object] = asyncio.ensure_future(stop())
    # It sets the handlers of signals with its first step.
    await asyncio.sleep(0)
    try:
        yield stopping
    finally:
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)


async def unless_stopped(start: Awaitable[T], stopping: asyncio.Future[object]) -> T | None:
    """Return what `start` returns; None where it was broken off, as it was time to stop."""
    starting = asyncio.ensure_future(start)
    try:
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        return await starting if starting.done() else None
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
