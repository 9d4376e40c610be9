from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from tritonclient.grpc import model_config_pb2, service_pb2

from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.gateway.open_inference import descriptions
from pawsight_serving.gateway.open_inference.statistics import Statistics
from pawsight_serving.repository.graphs import find_graph
from pawsight_serving.repository.manifest import Manifest
from tests.serving.fakes import manifest

if TYPE_CHECKING:
    from pawsight_serving.gateway.open_inference.core import OpenInference
    from tests.serving.fakes import FakeEngine
    from tests.serving.gateway.conftest import FakeSidecar

GRAPH = find_graph([manifest()], "tiny_explain")


@pytest.mark.parametrize("engine", get_args(Manifest.model_fields["engine"].annotation))
def test_every_engine_has_a_platform(engine: str) -> None:
    served = find_graph([manifest().model_copy(update={"engine": engine})], "tiny")
    assert descriptions.model_metadata(served, [served])["platform"]


def test_a_graph_is_described_with_any_number_of_pictures() -> None:
    hot = find_graph([manifest()], "tiny")
    assert descriptions.model_metadata(hot, [hot]) == {
        "name": "tiny",
        "versions": ["1"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "image", "datatype": "UINT8", "shape": [-1, 8, 8, 3]}],
        "outputs": [
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "gradcam", "datatype": "FP32", "shape": [-1, 2, 2, 2]},
        ],
    }


def test_descriptions_are_the_protocols_messages() -> None:
    # ParseDict refuses a field that a message has not.
    ParseDict(descriptions.server_metadata(), service_pb2.ServerMetadataResponse())
    ParseDict(descriptions.model_metadata(GRAPH, [GRAPH]), service_pb2.ModelMetadataResponse())
    ParseDict(
        descriptions.model_statistics([GRAPH], Statistics()), service_pb2.ModelStatisticsResponse()
    )
    config = ParseDict(descriptions.model_config(GRAPH, 8), model_config_pb2.ModelConfig())
    assert config.max_batch_size == 8
    assert MessageToDict(config)["input"][0]["dims"] == ["8", "8", "3"]


async def test_the_index_names_every_graph_of_every_version(open_inference: OpenInference) -> None:
    index = await descriptions.repository_index(open_inference, ready_only=False)
    assert [(each["name"], each["version"], each["state"]) for each in index] == [
        ("tiny", "1", "READY"),
        ("tiny_explain", "1", "READY"),
    ]


async def test_the_index_says_what_is_wrong_with_a_broken_model(
    open_inference: OpenInference, engine: FakeEngine
) -> None:
    engine.unserved["broken"] = RepositoryInvalid("The graph broken version 1 is missing.")
    index = await descriptions.repository_index(open_inference, ready_only=False)
    assert index[2:] == [
        {
            "name": "broken",
            "version": "",
            "state": "UNAVAILABLE",
            "reason": "The graph broken version 1 is missing.",
        }
    ]
    assert ParseDict({"models": index}, service_pb2.RepositoryIndexResponse())
    assert len(await descriptions.repository_index(open_inference, ready_only=True)) == 2


async def test_the_index_asks_the_sidecar_once_for_all_versions(
    open_inference: OpenInference, engine: FakeEngine, sidecar: FakeSidecar
) -> None:
    engine.served = [manifest(version=version) for version in "123"]
    sidecar.alive = False
    index = await descriptions.repository_index(open_inference, ready_only=False)
    assert [each["state"] for each in index] == ["READY", "UNAVAILABLE"] * 3
    assert sidecar.probed == 1
