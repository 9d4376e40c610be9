from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.gateway.ordered import in_order

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def items(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def test_results_keep_the_order_of_the_items() -> None:
    first_may_end = asyncio.Event()

    async def work(item: int) -> int:
        if item == 0:
            await first_may_end.wait()
        else:
            first_may_end.set()
        return item * 10

    assert [each async for each in in_order(items(5), work, 3)] == [0, 10, 20, 30, 40]


async def test_no_more_are_worked_on_than_may_be() -> None:
    under_way = most = 0

    async def work(item: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return item

    assert len([each async for each in in_order(items(50), work, 4)]) == 50
    assert most == 4


async def test_a_slow_reader_stops_the_reading() -> None:
    read: list[int] = []

    async def watched() -> AsyncIterator[int]:
        async for item in items(50):
            read.append(item)
            yield item

    async def work(item: int) -> int:
        return item

    async with aclosing(in_order(watched(), work, 3)) as results:
        assert await anext(results) == 0
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(read) <= 4


async def test_an_answer_does_not_wait_for_the_next_item() -> None:
    answered = asyncio.Event()

    async def talk() -> AsyncIterator[int]:
        yield 1
        await answered.wait()
        yield 2

    async def work(item: int) -> int:
        return item

    results = []
    async with asyncio.timeout(5):
        async for each in in_order(talk(), work, 4):
            results.append(each)
            answered.set()
    assert results == [1, 2]


async def test_what_is_under_way_ends_with_its_reader() -> None:
    cancelled: list[int] = []
    started = asyncio.Event()

    async def work(item: int) -> int:
        if item == 0:
            return item
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(item)
            raise
        return item

    async with aclosing(in_order(items(9), work, 3)) as results:
        assert await anext(results) == 0
        await asyncio.wait_for(started.wait(), 5)
    assert cancelled
    assert len(asyncio.all_tasks()) == 1


async def test_a_broken_stream_of_items_is_told() -> None:
    async def broken() -> AsyncIterator[int]:
        yield 1
        raise ConnectionError("gone")

    async def work(item: int) -> int:
        return item

    results = in_order(broken(), work, 2)
    assert await anext(results) == 1
    with pytest.raises(ConnectionError):
        await anext(results)
