from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.requests.calls import (
    accept_request_id,
    cancel_for_shutdown,
    cancelled_for_shutdown,
    task_was_cancelled,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("given", ["a", "4765459d-3dee/4a:6.b_c=d@e+f", "x" * 128])
def test_a_fit_id_is_kept(given: str) -> None:
    assert accept_request_id(given) == given


@pytest.mark.parametrize("given", [None, "", "two words", "line\nbreak", "x" * 129, "ü"])
def test_another_is_replaced(given: str | None) -> None:
    made = accept_request_id(given)
    assert made != given
    assert accept_request_id(made) == made
    assert made != accept_request_id(given)


@pytest.mark.parametrize(
    ("cancel", "caller_left", "server_stops"),
    [(asyncio.Task.cancel, True, False), (cancel_for_shutdown, False, True)],
)
async def test_who_cancelled_the_work_is_known(
    cancel: Callable[[asyncio.Task[object]], object], caller_left: bool, server_stops: bool
) -> None:
    began = asyncio.Event()

    async def work() -> tuple[bool, bool]:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return task_was_cancelled(), cancelled_for_shutdown()
        raise AssertionError

    task = asyncio.create_task(work())
    await began.wait()
    cancel(task)
    assert await task == (caller_left, server_stops)


async def test_what_is_waited_for_may_be_cancelled_alone() -> None:
    other = asyncio.ensure_future(asyncio.Event().wait())
    other.cancel()
    with pytest.raises(asyncio.CancelledError):
        await other
    assert not task_was_cancelled()
    assert not cancelled_for_shutdown()
