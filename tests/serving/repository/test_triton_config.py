from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tritonclient.grpc import model_config_pb2 as triton

from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository.triton_config import (
    configured_manifests,
    model_config,
    read_config,
    write_config,
)
from tests.serving.tiny_repository import EXPLAIN_OUTPUTS, SIDE, publish_tiny

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_serving.repository.manifest import Manifest


@pytest.fixture
def versions(tmp_path: Path) -> list[Manifest]:
    return [publish_tiny(tmp_path, version=version) for version in ("2", "10")]


def test_inputs_and_outputs_are_the_graphs(versions: list[Manifest]) -> None:
    config = model_config(versions, "tiny_explain")
    assert (config.name, config.platform, config.backend) == (
        "tiny_explain",
        "onnxruntime_onnx",
        "",
    )
    assert [(i.name, i.data_type, list(i.dims)) for i in config.input] == [
        ("image", triton.TYPE_UINT8, [SIDE, SIDE, 3])
    ]
    assert {o.name: tuple(o.dims) for o in config.output} == EXPLAIN_OUTPUTS
    assert {o.data_type for o in config.output} == {triton.TYPE_FP32}
    assert {o.name: o.label_filename for o in config.output if o.label_filename} == {
        "probabilities": "labels.txt"
    }


@pytest.mark.parametrize("graph", ["tiny", "tiny_explain"])
def test_the_queue_holds_nobody_back(versions: list[Manifest], graph: str) -> None:
    config = model_config(versions, graph)
    batching = config.dynamic_batching
    assert batching.max_queue_delay_microseconds == 0
    assert max(batching.preferred_batch_size) == config.max_batch_size
    # With one Triton's batcher sleeps half a second now and then while requests wait (ADR 19).
    assert not batching.HasField("default_queue_policy")
    assert not config.response_cache.enable
    assert {warmup.batch_size for warmup in config.model_warmup} <= {1, config.max_batch_size}
    assert list(config.version_policy.specific.versions) == [2, 10]


def test_explanations_come_in_smaller_batches(versions: list[Manifest]) -> None:
    hot, explain = (model_config(versions, graph) for graph in ("tiny", "tiny_explain"))
    assert explain.max_batch_size < hot.max_batch_size


def test_every_versions_manifest_survives_the_text(versions: list[Manifest]) -> None:
    config = read_config(write_config(model_config(versions, "tiny")), "tiny")
    assert configured_manifests(config) == versions
    assert configured_manifests(model_config(versions, "tiny_explain")) == []


def test_a_foreign_models_configuration_has_no_manifests() -> None:
    assert configured_manifests(triton.ModelConfig(name="resnet")) == []


@pytest.mark.parametrize("text", ["", "\n", "# nothing"])
def test_a_configuration_that_says_nothing_is_none(text: str) -> None:
    with pytest.raises(RepositoryInvalid, match="configuration of tiny cannot be read"):
        read_config(text, "tiny")


def test_what_cannot_be_read_is_named(versions: list[Manifest]) -> None:
    with pytest.raises(RepositoryInvalid, match="configuration of tiny"):
        read_config("max_batch_size: many", "tiny")
    config = model_config(versions, "tiny")
    config.parameters["manifest:2"].string_value = "{}"
    with pytest.raises(RepositoryInvalid, match="tiny"):
        configured_manifests(config)
