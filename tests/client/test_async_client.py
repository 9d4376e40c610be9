"""What only an asynchronous client can be asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pawsight_client import AsyncClient, ClientClosed, OptionInvalid

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


async def test_calls_and_streams_under_way_are_told_that_their_client_was_closed(
    url: str, twin: Twin
) -> None:
    async def all_of_many() -> None:
        async for _ in client.predict_many([b"dog"] * 4, in_flight=2):
            pass

    client = AsyncClient(url)
    twin.held.clear()
    waiting = [asyncio.create_task(each) for each in (client.predict(b"cat"), all_of_many())]
    assert await asyncio.to_thread(twin.wait_for_in_flight, 2)
    await client.close()
    # Of a task that nobody cancelled, an error, and no cancellation.
    for each in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(each, ClientClosed)


async def test_pictures_may_come_from_an_asynchronous_iterable(url: str) -> None:
    async def pictures() -> AsyncIterator[bytes]:
        for picture in (b"cat", b"dog", b"cat"):
            await asyncio.sleep(0)
            yield picture

    async with AsyncClient(url) as client:
        labels = [each.label async for each in client.predict_many(pictures(), in_flight=2)]
    assert labels == ["cat", "dog", "cat"]


def test_a_client_may_be_made_before_its_event_loop(url: str) -> None:
    asyncio.set_event_loop(None)
    client = AsyncClient(url)

    async def ask() -> str:
        async with client:
            return (await client.predict(b"cat")).label

    assert asyncio.run(ask()) == "cat"


def test_a_client_that_was_never_asked_can_be_closed(url: str) -> None:
    asyncio.run(AsyncClient(url).close())


def test_a_client_stays_in_its_event_loop(url: str) -> None:
    with asyncio.Runner() as first:
        client = AsyncClient(url)
        assert first.run(client.predict(b"cat")).label == "cat"
        with pytest.raises(OptionInvalid, match="another event loop's; open one in each"):
            asyncio.run(client.predict(b"cat"))
        first.run(client.close())
