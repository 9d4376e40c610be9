from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata
from tritonclient.grpc import service_pb2 as messages

from pawsight_serving.engines.triton_served import read_served
from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.repository.triton_config import model_config
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_serving.repository.manifest import Manifest


@dataclass
class FakeTriton:
    """Has loaded some versions of some models; see Triton's gRPC service."""

    configs: dict[str, Any]
    loaded: list[tuple[str, str]]
    asked: list[str] = field(default_factory=list)

    async def RepositoryIndex(self, request: Any, timeout: float) -> Any:  # noqa: N802, ASYNC109
        assert request.ready
        index = messages.RepositoryIndexResponse.ModelIndex
        return messages.RepositoryIndexResponse(
            models=[index(name=name, version=version) for name, version in self.loaded]
        )

    async def ModelConfig(self, request: Any, timeout: float) -> Any:  # noqa: N802, ASYNC109
        self.asked.append(request.name)
        if request.name not in self.configs:
            said = f"Request for unknown model: '{request.name}' is not found"
            raise AioRpcError(grpc.StatusCode.NOT_FOUND, Metadata(), Metadata(), said)
        return messages.ModelConfigResponse(config=self.configs[request.name])


class DeadTriton:
    async def RepositoryIndex(self, request: Any, timeout: float) -> Any:  # noqa: N802, ASYNC109
        raise AioRpcError(grpc.StatusCode.UNAVAILABLE, Metadata(), Metadata(), "gone")


@pytest.fixture
def versions(tmp_path: Path) -> list[Manifest]:
    return [publish_tiny(tmp_path, version=version) for version in ("9", "10")]


@pytest.fixture
def triton(versions: list[Manifest]) -> FakeTriton:
    configs = {graph: model_config(versions, graph) for graph in ("tiny", "tiny_explain")}
    return FakeTriton(configs, [("tiny", "10"), ("tiny", "9"), ("tiny_explain", "10")])


async def test_versions_count_as_numbers(triton: FakeTriton, versions: list[Manifest]) -> None:
    served = await read_served(triton, "hot")
    assert served.manifests == tuple(versions)
    assert triton.asked == ["tiny", "tiny_explain"]


async def test_a_version_waits_for_its_explain_graph(
    triton: FakeTriton, versions: list[Manifest]
) -> None:
    assert (await read_served(triton, "all")).manifests == tuple(versions[1:])


async def test_what_is_not_loaded_is_not_served(
    triton: FakeTriton, versions: list[Manifest]
) -> None:
    triton.loaded = [("tiny", "9")]
    assert (await read_served(triton, "hot")).manifests == tuple(versions[:1])


async def test_the_largest_batches_are_the_configurations(triton: FakeTriton) -> None:
    served = await read_served(triton, "hot")
    assert served.max_batch == {
        name: config.max_batch_size for name, config in triton.configs.items()
    }


async def test_a_model_that_cannot_be_read_hides_no_other(
    triton: FakeTriton, versions: list[Manifest], tmp_path: Path
) -> None:
    other = publish_tiny(tmp_path, name="other")
    triton.configs["other"] = model_config([other], "other")
    triton.loaded.append(("other", "1"))
    before = await read_served(triton, "hot")
    triton.configs["tiny"].parameters["manifest:10"].string_value = "{}"
    now = await read_served(triton, "hot")
    assert now.manifests == (other,)
    assert "configuration of tiny" in str(now.broken["tiny"])
    assert now.keeping(before).manifests == before.manifests == (other, *versions)


async def test_a_model_that_is_unloaded_meanwhile_hides_no_other(
    triton: FakeTriton, versions: list[Manifest]
) -> None:
    triton.loaded.append(("gone", "1"))
    assert (await read_served(triton, "hot")).manifests == tuple(versions)


async def test_a_triton_that_is_away_is_unavailable() -> None:
    with pytest.raises(EngineUnavailable):
        await read_served(DeadTriton(), "all")
