from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.readiness import Readiness
from pawsight_serving.settings import GatewaySettings
from tests.serving.fakes import FakeEngine, manifest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from numpy.typing import NDArray

    from pawsight_serving.repository.manifest import Manifest

SETTINGS = GatewaySettings(probe_interval_s=0.01, probe_timeout_s=0.2)


class Ear:
    """Hears of each change."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bool] = asyncio.Queue()

    def tell(self, ready: bool) -> None:
        self.heard.put_nowait(ready)

    async def next(self) -> bool:
        return await asyncio.wait_for(self.heard.get(), 5)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(served=[manifest("one"), manifest("two")])


@pytest.fixture
async def readiness(engine: FakeEngine) -> AsyncIterator[Readiness]:
    readiness = Readiness(engine, SETTINGS)
    yield readiness
    await readiness.stop()


async def test_ready_comes_from_an_inference_of_every_model(
    engine: FakeEngine, readiness: Readiness
) -> None:
    ear = Ear()
    assert not readiness.ready
    await readiness.start(ear.tell)
    assert readiness.ready
    assert await ear.next() is True
    assert [graph for graph, *_ in engine.asked[:2]] == ["one", "two"]


async def test_it_turns_when_the_engine_fails_and_turns_back(
    engine: FakeEngine, readiness: Readiness
) -> None:
    ear = Ear()
    await readiness.start(ear.tell)
    assert await ear.next() is True
    engine.failure = EngineUnavailable("dead")
    assert await ear.next() is False
    assert not readiness.ready
    assert not readiness.model_ready("one")
    engine.failure = None
    assert await ear.next() is True
    assert readiness.model_ready("one")


async def test_an_engine_that_hangs_is_not_ready(engine: FakeEngine, readiness: Readiness) -> None:
    ear = Ear()
    await readiness.start(ear.tell)
    assert await ear.next() is True
    engine.may_answer.clear()
    assert await ear.next() is False


async def test_callers_answers_spare_the_engine_ours(
    engine: FakeEngine, readiness: Readiness
) -> None:
    readiness.record_success("one")
    await readiness.start(Ear().tell)
    assert readiness.ready
    assert engine.asked[0][0] == "two"


async def test_a_crowd_before_our_own_inference_is_no_failure(
    engine: FakeEngine, readiness: Readiness
) -> None:
    ear = Ear()
    await readiness.start(ear.tell)
    assert await ear.next() is True
    engine.may_answer.clear()
    asked = len(engine.asked)
    await engine.wait_asked(asked + 1)
    for _ in range(100):
        readiness.record_success("one")
        readiness.record_success("two")
        await asyncio.sleep(0.005)
    assert ear.heard.empty()
    assert readiness.ready
    assert await ear.next() is False


async def test_an_unforeseen_failure_does_not_end_the_watch(
    engine: FakeEngine, readiness: Readiness
) -> None:
    ear = Ear()
    await readiness.start(ear.tell)
    assert await ear.next() is True
    engine.failure = ZeroDivisionError()
    assert await ear.next() is False
    engine.failure = None
    assert await ear.next() is True


async def test_a_failure_that_lasts_is_logged_once(
    engine: FakeEngine, readiness: Readiness, caplog: pytest.LogCaptureFixture
) -> None:
    ear = Ear()
    engine.failure = EngineUnavailable("dead")
    await readiness.start(ear.tell)
    await engine.wait_asked(8)
    assert [record.getMessage() for record in caplog.records] == [
        "one does not answer: dead",
        "two does not answer: dead",
    ]
    engine.failure = None
    assert await ear.next() is True
    engine.failure = EngineUnavailable("dead")
    assert await ear.next() is False
    assert len(caplog.records) == 4


async def test_an_answer_of_nonsense_is_not_ready() -> None:
    class Nonsense(FakeEngine):
        async def infer(self, *_: object) -> Mapping[str, NDArray[np.float32]]:
            return {"probabilities": np.full((1, 2), np.nan, np.float32)}

    readiness = Readiness(Nonsense(), SETTINGS)
    await readiness.start(Ear().tell)
    assert not readiness.ready
    await readiness.stop()


async def test_one_model_that_does_not_answer_makes_all_of_it_not_ready() -> None:
    class Half(FakeEngine):
        async def infer(self, graph: str, *rest: Any) -> Mapping[str, NDArray[np.float32]]:
            if graph == "two":
                raise EngineUnavailable("dead")
            return await super().infer(graph, *rest)

    readiness = Readiness(Half(served=[manifest("one"), manifest("two")]), SETTINGS)
    await readiness.start(Ear().tell)
    assert not readiness.ready
    assert (readiness.model_ready("one"), readiness.model_ready("two")) == (True, False)
    await readiness.stop()


async def test_an_engine_that_cannot_be_reached_is_not_ready_and_is_asked_again() -> None:
    class Away(FakeEngine):
        def manifests(self) -> Sequence[Manifest]:
            if self.unreachable:
                raise EngineUnavailable("away")
            return super().manifests()

    engine, ear = Away(), Ear()
    readiness = Readiness(engine, SETTINGS)
    await readiness.start(ear.tell)
    assert await ear.next() is True
    engine.unreachable = True
    assert await ear.next() is False
    engine.unreachable = False
    assert await ear.next() is True
    await readiness.stop()


async def test_without_a_model_nothing_is_ready() -> None:
    readiness = Readiness(FakeEngine(served=[]), SETTINGS)
    await readiness.start(Ear().tell)
    assert not readiness.ready
    await readiness.stop()


async def test_a_broken_model_is_red_alone(engine: FakeEngine, readiness: Readiness) -> None:
    engine.unserved["three"] = EngineUnavailable("broken")
    seen: list[tuple[dict[str, bool], bool]] = []

    def see(models: dict[str, bool], *, ready: bool) -> None:
        seen.append((models, ready))

    await readiness.start(Ear().tell, see)
    assert seen == [({"one": True, "two": True, "three": False}, True)]
    assert readiness.ready
    assert not readiness.model_ready("three")


async def test_stopped_is_not_ready(readiness: Readiness) -> None:
    ear = Ear()
    await readiness.start(ear.tell)
    await readiness.stop()
    assert [await ear.next(), await ear.next()] == [True, False]
    assert not readiness.ready
    assert not readiness.model_ready("one")


async def test_models_are_asked_side_by_side(engine: FakeEngine, readiness: Readiness) -> None:
    """Red comes after one probe's timeout, however many models hang."""
    engine.may_answer.clear()
    starting = asyncio.create_task(readiness.start(Ear().tell))
    await engine.wait_asked(2)
    assert not starting.done()
    engine.may_answer.set()
    await starting
    assert readiness.ready


async def test_who_is_shown_it_and_fails_changes_nothing_of_it(
    engine: FakeEngine, readiness: Readiness, caplog: pytest.LogCaptureFixture
) -> None:
    ear = Ear()
    full = True

    def see(models: dict[str, bool], *, ready: bool) -> None:
        if full:
            raise OSError(28, "No space left on device")

    await readiness.start(ear.tell, see)
    assert await ear.next() is True
    engine.failure = EngineUnavailable("dead")
    assert await ear.next() is False
    assert not readiness.ready
    engine.failure = None
    assert await ear.next() is True
    assert "No space left" in caplog.text
    full = False


async def test_what_could_not_be_told_is_told_in_the_next_round(readiness: Readiness) -> None:
    ear = Ear()
    failures = [OSError()]

    def tell(ready: bool) -> None:
        if failures:
            raise failures.pop()
        ear.tell(ready)

    await readiness.start(tell)
    assert readiness.ready
    assert await ear.next() is True
