"""What is known of a Triton: when it comes late, and as versions come and go."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pawsight_serving.engines import triton_following
from pawsight_serving.engines.triton import TritonEngine
from pawsight_serving.engines.triton_served import read_served
from pawsight_serving.errors import (
    DeadlineExceeded,
    EngineUnavailable,
    RepositoryInvalid,
)
from pawsight_serving.repository.triton_config import model_config, read_config, write_config
from pawsight_serving.requests.deadlines import Deadline
from pawsight_serving.triton_server.ports import Ports, claim
from tests.serving.engines.asked_triton import PatientTriton, answering, ask, connected
from tests.serving.tiny_repository import SIDE, publish_tiny
from tests.serving.triton_process import NOWHERE, running_triton
from tests.serving.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_serving.repository.manifest import Manifest
    from pawsight_serving.triton_server.environment import Environment


@pytest.fixture
def versions(tmp_path: Path) -> list[Manifest]:
    return [publish_tiny(tmp_path)]


async def test_one_unreadable_manifest_freezes_no_other_model(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    triton = PatientTriton([publish_tiny(tmp_path)])
    async with answering(triton) as address, connected(address) as engine:
        triton.configs["tiny"].parameters["manifest:1"].string_value = "{}"
        for name in ("other", "third"):
            versions = [publish_tiny(tmp_path, name=name)]
            for graph in (name, f"{name}_explain"):
                triton.configs[graph] = model_config(versions, graph)
            await engine.catch_up(name, "1", Deadline.after(20))
        assert [each.name for each in engine.manifests()] == ["other", "third", "tiny"]
    assert [record.getMessage() for record in caplog.records] == [
        "what was served of tiny stays: The manifest in the configuration of tiny cannot be read; "
        "export the model again."
    ]


async def test_nothing_ends_the_following(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(triton_following, "_FOLLOW_S", 0.01)
    triton = PatientTriton([publish_tiny(tmp_path)])
    looked = asyncio.Event()

    async def broken(*arguments: Any) -> Any:
        monkeypatch.setattr(triton_following, "read_served", read_served)
        looked.set()
        raise RuntimeError("not foreseen")

    async with answering(triton) as address, connected(address) as engine:
        monkeypatch.setattr(triton_following, "read_served", broken)
        await looked.wait()
        versions = [publish_tiny(tmp_path, name="other")]
        for graph in ("other", "other_explain"):
            triton.configs[graph] = model_config(versions, graph)
        await until(lambda: [each.name for each in engine.manifests()] == ["other", "tiny"])
    assert "could not be read" in caplog.text


@pytest.mark.triton
async def test_it_follows_what_is_published_and_withdrawn(
    tmp_path: Path, triton_environment: Environment
) -> None:
    publish_tiny(tmp_path, version="1")
    with running_triton(tmp_path) as triton:
        async with connected(triton.grpc) as engine:

            def versions() -> list[str]:
                return [manifest.version for manifest in engine.manifests()]

            publish_tiny(tmp_path, version="2", bias=5.0)
            await until(lambda: versions() == ["1", "2"])
            image = np.zeros((1, SIDE, SIDE, 3), np.uint8)
            for graph in ("tiny", "tiny_explain"):
                await engine.infer(graph, "2", image, ["probabilities"], Deadline.after(20))
            for graph in ("tiny", "tiny_explain"):
                shutil.rmtree(tmp_path / graph / "1")
            await until(lambda: versions() == ["2"])


@pytest.mark.triton
async def test_hot_needs_no_explain_graph(tmp_path: Path, triton_environment: Environment) -> None:
    publish_tiny(tmp_path, version="1")
    publish_tiny(tmp_path, version="2")
    path = tmp_path / "tiny_explain" / "config.pbtxt"
    config = read_config(path.read_text(), "tiny_explain")
    config.version_policy.latest.num_versions = 1
    path.write_text(write_config(config))
    with running_triton(tmp_path) as triton:
        async with connected(triton.grpc, graphs="hot") as engine:
            assert [manifest.version for manifest in engine.manifests()] == ["1", "2"]
        async with connected(triton.grpc, graphs="all") as engine:
            assert [manifest.version for manifest in engine.manifests()] == ["2"]


@pytest.mark.triton
async def test_a_triton_with_foreign_models_alone_is_refused(
    tmp_path: Path, triton_environment: Environment
) -> None:
    publish_tiny(tmp_path)
    path = tmp_path / "tiny" / "config.pbtxt"
    config = read_config(path.read_text(), "tiny")
    config.parameters.clear()
    path.write_text(write_config(config))
    with running_triton(tmp_path) as triton:
        engine = TritonEngine(triton.grpc)
        with pytest.raises(RepositoryInvalid, match="no model of `pawsight export`"):
            await engine.start()
        await engine.close()


async def test_no_triton_there_is_one_sentence() -> None:
    engine = TritonEngine(NOWHERE, start_timeout_s=0.3)
    with pytest.raises(EngineUnavailable, match="pawsight triton"):
        await engine.start()
    await engine.close()


async def test_a_triton_that_may_come_later_is_found_when_it_comes(
    versions: list[Manifest], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(triton_following, "_FOLLOW_S", 0.01)
    port = claim(Ports(0, 0, 0)).grpc
    engine = TritonEngine(f"127.0.0.1:{port}", may_come_later=True)
    async with asyncio.timeout(20):
        await engine.start()
        assert "No Triton answers" in caplog.text
        with pytest.raises(EngineUnavailable, match="has not said yet which models it has; try"):
            engine.manifests()
        with pytest.raises(EngineUnavailable):
            await ask(engine)
        triton = PatientTriton(versions)
        configs, triton.configs = triton.configs, {}
        async with answering(triton, port):
            await until(lambda: "has loaded no model" in caplog.text)
            with pytest.raises(EngineUnavailable):
                engine.manifests()
            triton.configs = configs
            while True:
                try:
                    assert engine.manifests() == tuple(versions)
                    break
                except EngineUnavailable:
                    await asyncio.sleep(0.01)
            await engine.close()


async def test_a_triton_of_other_models_is_refused_though_one_may_come_later() -> None:
    async with answering(PatientTriton([])) as address:
        engine = TritonEngine(address, may_come_later=True)
        with pytest.raises(RepositoryInvalid, match="no model of `pawsight export`"):
            await engine.start()
        await engine.close()


class AskedTriton(PatientTriton):
    """Knows how many look at once, and answers when it may."""

    def __init__(self, versions: list[Manifest]) -> None:
        super().__init__(versions)
        self.at_once = self.most_at_once = self.looks = 0
        self.looked_at = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.looks += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.looked_at.set()
        try:
            await self.may_answer.wait()
            return await super().RepositoryIndex(request, context)
        finally:
            self.at_once -= 1


async def test_all_who_wait_for_a_version_share_one_look(versions: list[Manifest]) -> None:
    triton = AskedTriton(versions)
    async with answering(triton) as address, connected(address) as engine:
        triton.may_answer.clear()
        triton.looked_at.clear()
        before = triton.looks
        waiting = [
            asyncio.create_task(engine.catch_up("nobody", "1", Deadline.after(20)))
            for _ in range(20)
        ]
        async with asyncio.timeout(20):
            await triton.looked_at.wait()
            # What all of them had sent by now would have come before this.
            after = asyncio.create_task(ask(engine))
            await triton.called.wait()
            after.cancel()
            assert triton.looks == before + 1
            triton.may_answer.set()
            await asyncio.gather(*waiting)
        assert triton.most_at_once == 1


async def test_a_look_takes_no_longer_than_its_caller_has(versions: list[Manifest]) -> None:
    triton = AskedTriton(versions)
    async with answering(triton) as address, connected(address) as engine:
        triton.may_answer.clear()
        async with asyncio.timeout(2):
            with pytest.raises(DeadlineExceeded):
                await engine.catch_up("nobody", "1", Deadline.after(0.1))
