"""Callers who leave before their answer is ready."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from starlette.requests import Request

A = TypeVar("A")


async def unless_caller_leaves(request: Request, work: Coroutine[object, object, A]) -> A:
    """Return what `work` returns; cancel it as soon as the caller closes the connection.

    Args:
        request: its body has been read.
        work: what makes the answer.

    Raises:
        ClientDisconnect: the caller left; nobody hears an answer any more.
    """
    answer = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({answer, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        raise ClientDisconnect
    finally:
        answer.cancel()
        leaving.cancel()
        await asyncio.gather(answer, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
