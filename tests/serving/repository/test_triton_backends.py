"""The configurations as text: what Triton will read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import pytest
from tritonclient.grpc import model_config_pb2 as triton

from pawsight_serving.execution_providers import wanted_providers
from pawsight_serving.repository.triton_backends import run_in_python_backend, tensorrt_profiles
from pawsight_serving.repository.triton_config import model_config, read_config, write_config
from tests.serving.tiny_repository import EXPLAIN_OUTPUTS, HOT_OUTPUTS, SIDE, publish_tiny

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_serving.repository.manifest import Manifest

Precision = Literal["fp32", "fp16", "int8"]
Engine = Literal["onnxruntime", "openvino", "tensorrt", "python"]


def config_of(
    folder: Path, engine: Engine, precision: Precision = "fp32", graph: str = "tiny"
) -> triton.ModelConfig:
    """Return a configuration as it is read from its file."""
    publish_tiny(folder, engine=engine, precision=precision)
    return read_config((folder / graph / "config.pbtxt").read_text(), graph)


@pytest.mark.parametrize(
    ("engine", "platform", "backend", "file", "kind"),
    [
        ("onnxruntime", "onnxruntime_onnx", "", "", triton.ModelInstanceGroup.KIND_AUTO),
        ("openvino", "", "openvino", "model.onnx", triton.ModelInstanceGroup.KIND_CPU),
        ("tensorrt", "tensorrt_plan", "", "", triton.ModelInstanceGroup.KIND_GPU),
        ("python", "", "python", "", triton.ModelInstanceGroup.KIND_AUTO),
    ],
)
def test_each_engine_is_a_backend_of_triton(
    tmp_path: Path,
    engine: Engine,
    platform: str,
    backend: str,
    file: str,
    kind: int,
) -> None:
    config = config_of(tmp_path, engine)
    assert (config.platform, config.backend) == (platform, backend)
    assert config.default_model_filename == file
    assert [(group.kind, group.count) for group in config.instance_group] == [(kind, 1)]


@pytest.mark.parametrize(
    ("precision", "mode", "on_the_cpu"),
    [("fp32", "FP32", []), ("fp16", "FP16", []), ("int8", "INT8", ["openvino"])],
)
def test_onnx_runtime_is_accelerated_on_either_device(
    tmp_path: Path, precision: Precision, mode: str, on_the_cpu: list[str]
) -> None:
    accelerators = config_of(tmp_path, "onnxruntime", precision).optimization.execution_accelerators
    (tensorrt,) = accelerators.gpu_execution_accelerator
    assert tensorrt.name == "tensorrt"
    assert dict(tensorrt.parameters) == {
        "precision_mode": mode,
        "max_workspace_size_bytes": "1073741824",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": "/tmp/tensorrt-engines",
    }
    assert [found.name for found in accelerators.cpu_execution_accelerator] == on_the_cpu


def test_explanations_have_one_instance(tmp_path: Path) -> None:
    config = config_of(tmp_path, "onnxruntime", graph="tiny_explain")
    assert [group.count for group in config.instance_group] == [1]


def test_the_largest_batch_is_warmed_up_so_that_no_caller_waits_for_a_build(
    tmp_path: Path,
) -> None:
    config = config_of(tmp_path, "onnxruntime", "fp16")
    assert [warm_up.batch_size for warm_up in config.model_warmup] == [1, config.max_batch_size]


def test_the_python_backend_builds_nothing_and_is_ready_after_one_picture(tmp_path: Path) -> None:
    config = config_of(tmp_path, "python")
    assert [warm_up.batch_size for warm_up in config.model_warmup] == [1]


@pytest.mark.parametrize(
    ("graph", "outputs"), [("tiny", HOT_OUTPUTS), ("tiny_explain", EXPLAIN_OUTPUTS)]
)
def test_openvino_takes_requests_of_any_number_of_pictures(
    tmp_path: Path, graph: str, outputs: dict[str, tuple[int, ...]]
) -> None:
    config = config_of(tmp_path, "openvino", graph=graph)
    # With a largest batch its backend answers "expected requests with batch size '32', got '1'".
    assert (config.max_batch_size, config.HasField("dynamic_batching")) == (0, False)
    assert [list(image.dims) for image in config.input] == [[-1, SIDE, SIDE, 3]]
    assert {o.name: tuple(o.dims) for o in config.output} == {
        name: (-1, *shape) for name, shape in outputs.items()
    }
    (warm_up,) = config.model_warmup
    assert (warm_up.batch_size, list(warm_up.inputs["image"].dims)) == (1, [1, SIDE, SIDE, 3])


@pytest.mark.parametrize(
    ("graph", "profiles"), [("tiny", ["0", "1", "2"]), ("tiny_explain", ["0", "1"])]
)
def test_a_plans_profiles_are_all_in_use(tmp_path: Path, graph: str, profiles: list[str]) -> None:
    (group,) = config_of(tmp_path, "tensorrt", graph=graph).instance_group
    assert list(group.profile) == profiles
    assert len(tensorrt_profiles(32)) == 3
    assert tensorrt_profiles(16) == [1, 8, 16]
    assert tensorrt_profiles(1) == [1]


def test_the_python_backend_keeps_what_was_tuned(tmp_path: Path) -> None:
    versions: list[Manifest] = [
        publish_tiny(tmp_path, version="2"),
        publish_tiny(tmp_path, version="10", precision="int8"),
    ]
    config = model_config(versions, "tiny")
    config.max_batch_size = 7
    run_in_python_backend(config, versions)
    config = read_config(write_config(config), "tiny")
    assert (config.platform, config.backend, config.max_batch_size) == ("", "python", 7)
    assert not config.HasField("optimization")
    for version, precision in (("2", "fp32"), ("10", "int8")):
        providers = json.loads(config.parameters[f"providers:{version}"].string_value)
        assert providers == [list(provider) for provider in wanted_providers(precision)]
        assert config.parameters[f"arithmetic:{version}"].string_value == precision


def test_what_explains_computes_in_float_whatever_its_weights_are(tmp_path: Path) -> None:
    config = config_of(tmp_path, "onnxruntime", "int8", "tiny_explain")
    accelerators = config.optimization.execution_accelerators
    assert accelerators.gpu_execution_accelerator[0].parameters["precision_mode"] == "FP32"
    assert not accelerators.cpu_execution_accelerator
