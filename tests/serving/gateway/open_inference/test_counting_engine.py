from __future__ import annotations

import asyncio

import numpy as np
import pytest

from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.gateway.open_inference.counting_engine import CountingEngine
from pawsight_serving.gateway.open_inference.statistics import Statistics
from pawsight_serving.requests.deadlines import Deadline
from tests.serving.fakes import SIDE, FakeEngine, manifest

IMAGES = np.zeros((3, SIDE, SIDE, 3), np.uint8)


async def infer(engine: CountingEngine) -> None:
    await engine.infer("tiny", "1", IMAGES, ("probabilities",), Deadline.after(5))


async def test_executions_are_counted_and_timed() -> None:
    statistics, inner = Statistics(), FakeEngine()
    engine = CountingEngine(inner, statistics)
    await infer(engine)
    inner.may_answer.clear()
    slow = asyncio.create_task(infer(engine))
    await inner.wait_asked(2)
    asyncio.get_running_loop().call_later(0.02, inner.may_answer.set)
    await slow
    tiny = statistics.of("tiny", "1")
    assert (tiny.success.count, tiny.fail.count, tiny.pictures) == (2, 0, 6)
    assert tiny.success.ns >= 15_000_000
    assert tiny.last_ms > 1_700_000_000_000


async def test_failures_are_counted_apart() -> None:
    statistics = Statistics()
    with pytest.raises(EngineUnavailable):
        await infer(CountingEngine(FakeEngine(failure=EngineUnavailable("dead")), statistics))
    tiny = statistics.of("tiny", "1")
    assert (tiny.success.count, tiny.fail.count, tiny.pictures, tiny.last_ms) == (0, 1, 0, 0)


async def test_it_is_the_engine_in_everything_else() -> None:
    inner = FakeEngine()
    engine = CountingEngine(inner, Statistics())
    await engine.start()
    assert engine.manifests() == inner.manifests()
    await engine.close()
    assert inner.closed


async def test_all_but_the_counting_is_the_engines() -> None:
    inner = FakeEngine(soon=[manifest(version="2")], prepares=True)
    engine = CountingEngine(inner, Statistics())
    await engine.start()
    assert engine.prepares
    await engine.catch_up("tiny", "2", Deadline.after(5))
    assert [each.version for each in engine.manifests()] == ["1", "2"]
    await engine.close()
    assert inner.closed
