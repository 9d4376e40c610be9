"""What only an asynchronous client can be asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pawsight_client import AsyncClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.client.twin import Twin


async def test_calls_run_side_by_side(url: str, twin: Twin) -> None:
    async with AsyncClient(url) as client:
        twin.held.clear()
        calls = [asyncio.create_task(client.predict(b"cat")) for _ in range(8)]
        assert await asyncio.to_thread(twin.wait_for_in_flight, 8)
        twin.held.set()
        assert [each.label for each in await asyncio.gather(*calls)] == ["cat"] * 8


async def test_a_call_can_be_cancelled(url: str, twin: Twin) -> None:
    async with AsyncClient(url) as client:
        twin.held.clear()
        call = asyncio.create_task(client.predict(b"cat"))
        assert await asyncio.to_thread(twin.wait_for_in_flight, 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        twin.held.set()
        assert (await client.predict(b"dog")).label == "dog"


async def test_pictures_may_come_from_an_asynchronous_iterable(url: str) -> None:
    async def pictures() -> AsyncIterator[bytes]:
        for picture in (b"cat", b"dog", b"cat"):
            await asyncio.sleep(0)
            yield picture

    async with AsyncClient(url) as client:
        labels = [each.label async for each in client.predict_many(pictures(), in_flight=2)]
    assert labels == ["cat", "dog", "cat"]
