from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING

from starlette.requests import Request

from pawsight_serving.gateway.http.disconnects import CancelOnDisconnect
from tests.serving.waiting import until

if TYPE_CHECKING:
    from starlette.types import Message


async def nothing_more() -> Message:
    never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    return await never


async def test_what_watched_is_gone_without_the_collector() -> None:
    gc.disable()
    try:
        async with CancelOnDisconnect(Request({"type": "http"}, nothing_more)) as leaving:
            leaving.watch()
            await asyncio.sleep(0)
        watched = weakref.ref(leaving)
        del leaving
        await until(lambda: watched() is None)
    finally:
        gc.enable()
