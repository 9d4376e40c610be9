"""What calls are told that were under way when their client was closed."""

from __future__ import annotations

import asyncio

import pytest

from pawsight_client._closing import Closing


async def test_who_was_asked_to_end_ends_though_the_client_is_closed() -> None:
    closing = Closing()

    async def call() -> None:
        with closing.errors_named():
            await asyncio.Event().wait()

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    closing.begun = True
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
