"""Works on several items of a stream at once, and gives the results in the items' order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

Q = TypeVar("Q")
A = TypeVar("A")


async def in_order(
    items: AsyncIterator[Q], work: Callable[[Q], Awaitable[A]], at_once: int
) -> AsyncGenerator[A, None]:
    """Yield `work(item)` for each item, in the items' order.

    A slow reader of the results stops the reading of the items: at most `at_once` items are
    worked on or waiting to be read. Whatever is under way ends with this generator.
    """
    started: asyncio.Queue[asyncio.Task[A] | None] = asyncio.Queue()
    places = asyncio.Semaphore(at_once)
    under_way: set[asyncio.Task[A]] = set()

    async def read() -> None:
        try:
            await places.acquire()
            async for item in items:
                task = asyncio.ensure_future(work(item))
                under_way.add(task)
                started.put_nowait(task)
                await places.acquire()
        finally:
            started.put_nowait(None)

    reader = asyncio.create_task(read())
    try:
        while (task := await started.get()) is not None:
            result = await task
            under_way.discard(task)
            places.release()
            yield result
        await reader
    finally:
        for unfinished in (reader, *under_way):
            unfinished.cancel()
        await asyncio.gather(reader, *under_way, return_exceptions=True)
