"""What the Triton engine must do beyond every engine's contract, against the real server."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pawsight_serving.engines.triton import TritonEngine
from pawsight_serving.errors import (
    DeadlineExceeded,
    EngineUnavailable,
    ModelNotFound,
    Overloaded,
    VersionNotFound,
)
from pawsight_serving.readiness import Readiness
from pawsight_serving.repository.catalogue import find_model
from pawsight_serving.repository.rollback import roll_back
from pawsight_serving.repository.triton_config import read_config, write_config
from pawsight_serving.requests.deadlines import Deadline
from pawsight_serving.settings import GatewaySettings
from tests.serving.engines.asked_triton import PatientTriton, answering, ask, connected, heard
from tests.serving.tiny_repository import SIDE, publish_tiny
from tests.serving.triton_process import NOWHERE, running_triton
from tests.serving.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pawsight_serving.repository.manifest import Manifest
    from pawsight_serving.triton_server.environment import Environment
    from tests.serving.triton_process import RunningTriton

QUEUED = 8


class Gate:
    """The gate of a `gated_model`, whose Triton works on one execution at a time."""

    def __init__(self, folder: Path, triton: RunningTriton) -> None:
        self._folder = folder
        self.triton = triton

    def shut(self) -> None:
        for file in self._folder.iterdir():
            file.unlink()

    def open(self, *, broken: bool = False) -> None:
        if broken:
            (self._folder / "broken").touch()
        (self._folder / "open").touch()

    def executed(self) -> list[list[int]]:
        """Return the levels of the pictures of each execution so far."""
        try:
            lines = (self._folder / "executed").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [[int(level) for level in line.strip("[]").split(",")] for line in lines]

    async def hold(self, engine: TritonEngine) -> asyncio.Task[float]:
        """Return a call that Triton works on, until the gate opens."""
        self.shut()
        call = asyncio.create_task(ask(engine, 1))
        await until(lambda: self.executed() == [[1]])
        return call


@pytest.fixture(scope="module")
def gated(
    tmp_path_factory: pytest.TempPathFactory, triton_environment: Environment
) -> Iterator[Gate]:
    with gated_triton(tmp_path_factory) as gate:
        yield gate


@pytest.fixture(scope="module")
def bounded(
    tmp_path_factory: pytest.TempPathFactory, triton_environment: Environment
) -> Iterator[Gate]:
    """A Triton whose operator has written a queue policy; an export writes none."""
    with gated_triton(tmp_path_factory, queued=QUEUED) as gate:
        yield gate


@contextmanager
def gated_triton(
    tmp_path_factory: pytest.TempPathFactory, queued: int | None = None
) -> Iterator[Gate]:
    """Run Triton with a gated model, and a bound on its queue."""
    root, folder = tmp_path_factory.mktemp("gated"), tmp_path_factory.mktemp("gate")
    publish_tiny(root, engine="python")
    model = Path(__file__).with_name("gated_model.py").read_text()
    (root / "tiny" / "1" / "model.py").write_text(model.replace('"GATE"', repr(str(folder))))
    path = root / "tiny" / "config.pbtxt"
    config = read_config(path.read_text(), "tiny")
    # The gate holds one execution, and another instance would go on beside it.
    config.instance_group[0].count = 1
    if queued is not None:
        policy = config.dynamic_batching.default_queue_policy
        policy.max_queue_size = queued
        policy.allow_timeout_override = True
    path.write_text(write_config(config))
    with running_triton(root) as triton:
        yield Gate(folder, triton)


@pytest.fixture
def versions(tmp_path: Path) -> list[Manifest]:
    return [publish_tiny(tmp_path)]


@pytest.fixture
async def engine(gated: Gate) -> AsyncIterator[TritonEngine]:
    async with connected(gated.triton.grpc) as engine:
        yield engine
        gated.open()


@pytest.mark.triton
async def test_what_waits_is_run_as_one_batch(engine: TritonEngine, gated: Gate) -> None:
    first = await gated.hold(engine)
    waiting = [asyncio.create_task(ask(engine, 9)) for _ in range(6)]
    await heard(engine)
    # What Triton has read, its threads still have to queue.
    await asyncio.sleep(0.3)
    gated.open()
    await asyncio.gather(first, *waiting)
    executed = gated.executed()
    # Triton may have set the first that waited apart as the next batch.
    assert len(executed) <= 3
    assert [level for batch in executed for level in batch] == [1] + [9] * 6


@pytest.mark.triton
async def test_a_full_queue_refuses_at_once(bounded: Gate) -> None:
    async with connected(bounded.triton.grpc) as engine:
        first = await bounded.hold(engine)
        calls = [asyncio.create_task(ask(engine, 9)) for _ in range(QUEUED + 4)]
        await until(lambda: any(call.done() for call in calls))
        bounded.open()
        answers = await asyncio.gather(first, *calls, return_exceptions=True)
    assert {type(answer) for answer in answers} == {float, Overloaded}


@pytest.mark.triton
async def test_a_deadline_ends_the_call(engine: TritonEngine, gated: Gate) -> None:
    first = await gated.hold(engine)
    started_s = time.monotonic()
    # The gate stays shut until the call has ended.
    async with asyncio.timeout(20):
        with pytest.raises(DeadlineExceeded):
            await ask(engine, 2, within_s=0.3)
    assert 0.25 < time.monotonic() - started_s < 5
    gated.open()
    await first


@pytest.mark.triton
async def test_where_there_is_a_queue_policy_late_calls_are_not_run(bounded: Gate) -> None:
    async with connected(bounded.triton.grpc) as engine:
        first = await bounded.hold(engine)
        with pytest.raises(DeadlineExceeded):
            await ask(engine, 2, within_s=0.3)
        # Triton's own clock started later than ours, when the call arrived.
        await asyncio.wait({first}, timeout=0.3)
        bounded.open()
        await first
        await ask(engine, 3)
        assert bounded.executed() == [[1], [3]]


async def test_a_call_that_is_given_up_is_cancelled_at_triton(versions: list[Manifest]) -> None:
    triton = PatientTriton(versions)
    async with answering(triton) as address, connected(address) as engine, asyncio.timeout(20):
        call = asyncio.create_task(ask(engine))
        await triton.called.wait()
        call.cancel()
        await triton.cancelled.wait()


@pytest.mark.triton
async def test_what_fails_inside_is_our_sentence(engine: TritonEngine, gated: Gate) -> None:
    gated.shut()
    gated.open(broken=True)
    with pytest.raises(EngineUnavailable, match="Triton cannot run the model") as caught:
        await ask(engine, 1)
    assert "secret" not in str(caught.value)
    gated.shut()
    gated.open()
    await ask(engine, 1)


@pytest.mark.triton
async def test_closing_finishes_what_is_under_way(gated: Gate) -> None:
    async with connected(gated.triton.grpc) as engine:
        first = await gated.hold(engine)
        closing = asyncio.create_task(engine.close())
        await asyncio.wait({closing}, timeout=0.05)
        gated.open()
        assert await first == 0.0
        await closing


@pytest.mark.triton
async def test_it_survives_that_triton_dies_and_comes_back(
    repository: Path, triton_environment: Environment
) -> None:
    with running_triton(repository) as triton:
        ports = [address.rpartition(":")[2] for address in (triton.http, triton.grpc)]
        async with connected(triton.grpc) as engine:
            before = await ask(engine)
            readiness = Readiness(engine, GatewaySettings(probe_interval_s=0.05))
            told: list[bool] = []

            await readiness.start(told.append)
            assert told == [True]
            await asyncio.to_thread(triton.kill)
            await until(lambda: told == [True, False])
            # Before its own deadline, which is farther away.
            with pytest.raises(EngineUnavailable, match="try again"):
                await ask(engine)
            with pytest.raises(EngineUnavailable, match="try again"):
                engine.check_reachable()
            assert [m.name for m in engine.manifests()] == ["other", "tiny", "tiny"]
            with running_triton(repository, *ports):
                async with asyncio.timeout(5):
                    while True:
                        try:
                            assert await ask(engine) == before
                            engine.check_reachable()
                            break
                        except EngineUnavailable:
                            await asyncio.sleep(0.05)
                await until(lambda: told == [True, False, True])
                await readiness.stop()


@pytest.mark.triton
async def test_a_rollback_fails_no_call_that_names_no_version(
    tmp_path: Path, triton_environment: Environment
) -> None:
    for attempt in range(3):
        repository = tmp_path / str(attempt)
        publish_tiny(repository, version="1")
        publish_tiny(repository, version="2", bias=5.0)
        with running_triton(repository) as triton:
            try:
                await asked_through_rollbacks(repository, triton)
                return
            except EngineUnavailable:
                # Now and then this Triton aborts by itself as it unloads a version (an exception
                # in a thread of its own), which says nothing of calls that it answers.
                if await asyncio.to_thread(triton.process.wait, 10) == 0:
                    raise
    pytest.fail("Triton aborted at each of three rollbacks")


async def asked_through_rollbacks(repository: Path, triton: RunningTriton) -> None:
    image = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    answered: list[str] = []
    async with connected(triton.grpc) as engine, asyncio.timeout(60):

        async def newest() -> None:
            """Ask as the gateway does."""
            version = find_model(engine.manifests(), "tiny").version
            answer = await engine.infer(
                "tiny", version, image, ["probabilities"], Deadline.after(20)
            )
            assert (answer["probabilities"][0, 1] > 0.9) == (version == "2")
            answered.append(version)

        roll_back(repository, "tiny")
        while answered[-20:] != ["1"] * 20:
            try:
                await newest()
            except VersionNotFound:
                await newest()
        roll_back(repository, "tiny", "2")
        await engine.catch_up("tiny", "2", Deadline.after(20))
        while answered[-1] != "2":
            await engine.catch_up("tiny", "2", Deadline.after(20))
            await newest()


async def test_before_the_start_nothing_is_served() -> None:
    with pytest.raises(ModelNotFound):
        await ask(TritonEngine(NOWHERE))
