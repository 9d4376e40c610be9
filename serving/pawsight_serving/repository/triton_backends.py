"""What each of Triton's backends wants in `config.pbtxt`, beside what all of them share.

Triton's documentation: the READMEs of onnxruntime_backend, openvino_backend, tensorrt_backend and
python_backend.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from tritonclient.grpc import model_config_pb2 as triton

from pawsight_serving.execution_providers import wanted_providers
from pawsight_serving.repository.version_policy import ARITHMETIC_PARAMETER, PROVIDERS_PARAMETER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pawsight_serving.repository.manifest import Manifest

TENSORRT_BATCHES: Final = (1, 8, 32)
"""The batches that a TensorRT plan has optimisation profiles for."""

_WORKSPACE_BYTES: Final = 1 << 30
# A folder that can be made in any container: where ONNX Runtime cannot make it, it loads no model.
# A volume there keeps the engines.
_ENGINE_CACHE: Final = "/tmp/tensorrt-engines"  # noqa: S108
# Quantised graphs say themselves what is int8; float ones are run as they were checked.
_TENSORRT_MODES: Final = {"fp32": "FP32", "fp16": "FP16", "int8": "INT8"}


def choose_backend(config: triton.ModelConfig, versions: Sequence[Manifest]) -> None:
    """Make a configuration one of the backend that the newest version was exported for."""
    _BACKENDS[versions[-1].engine](config, versions)


def run_in_python_backend(config: triton.ModelConfig, versions: Sequence[Manifest]) -> None:
    """Make a configuration one of the Python backend, whose `model.py` runs the ONNX file.

    One picture warms it up: nothing is built for other batches, and a batch of the largest size
    would take seconds of a restart.
    """
    config.platform = ""
    config.backend = "python"
    del config.model_warmup[1:]
    config.ClearField("optimization")
    config.ClearField("default_model_filename")
    for manifest in versions:
        arithmetic = manifest.arithmetic(config.name)
        providers = json.dumps(wanted_providers(arithmetic))
        set_parameters(
            config,
            {
                f"{PROVIDERS_PARAMETER}:{manifest.version}": providers,
                f"{ARITHMETIC_PARAMETER}:{manifest.version}": arithmetic,
            },
        )


def tensorrt_profiles(largest: int) -> list[int]:
    """Return the batch of each optimisation profile of a plan; the last is the largest batch."""
    return [*(batch for batch in TENSORRT_BATCHES if batch < largest), largest]


def set_parameters(config: triton.ModelConfig, values: Mapping[str, str]) -> None:
    """Set parameters of a configuration, by name."""
    for name, value in values.items():
        config.parameters[name].string_value = value


def _onnxruntime(config: triton.ModelConfig, versions: Sequence[Manifest]) -> None:
    """TensorRT on a GPU instance, with its engines cached; OpenVINO for int8 on a CPU instance.

    The warm-up with the smallest and the largest batch makes TensorRT build for all between them.
    The cache knows an engine by its graph's name, which an export makes of all that is in it.
    """
    config.platform = "onnxruntime_onnx"
    arithmetic = versions[-1].arithmetic(config.name)
    accelerators = config.optimization.execution_accelerators
    tensorrt = accelerators.gpu_execution_accelerator.add(name="tensorrt")
    tensorrt.parameters["precision_mode"] = _TENSORRT_MODES[arithmetic]
    tensorrt.parameters["max_workspace_size_bytes"] = str(_WORKSPACE_BYTES)
    tensorrt.parameters["trt_engine_cache_enable"] = "1"
    tensorrt.parameters["trt_engine_cache_path"] = _ENGINE_CACHE
    if arithmetic == "int8":
        accelerators.cpu_execution_accelerator.add(name="openvino")


def _openvino(config: triton.ModelConfig, versions: Sequence[Manifest]) -> None:
    """One instance that has all cores for each request; the backend reads ONNX files as they are.

    Given a largest batch, the backend refuses every other one, or fills it up with black pictures
    (`ENABLE_BATCH_PADDING`). So Triton is told of no batches: the number of pictures is a
    dimension like the others, and a request may have any.
    """
    del versions
    config.backend = "openvino"
    config.default_model_filename = "model.onnx"
    config.max_batch_size = 0
    config.ClearField("dynamic_batching")
    for tensor in (*config.input, *config.output):
        tensor.dims.insert(0, -1)
    del config.model_warmup[1:]
    config.model_warmup[0].inputs["image"].dims.insert(0, 1)
    group = config.instance_group[0]
    group.kind = triton.ModelInstanceGroup.KIND_CPU
    set_parameters(config, {"PERFORMANCE_HINT": "LATENCY"})


def _tensorrt(config: triton.ModelConfig, versions: Sequence[Manifest]) -> None:
    """Every optimisation profile of the plan in one instance: Triton takes the nearest."""
    del versions
    config.platform = "tensorrt_plan"
    group = config.instance_group[0]
    group.kind = triton.ModelInstanceGroup.KIND_GPU
    profiles = tensorrt_profiles(config.max_batch_size)
    group.profile.extend(str(index) for index in range(len(profiles)))


_BACKENDS: Final[dict[str, Callable[[triton.ModelConfig, Sequence[Manifest]], None]]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "tensorrt": _tensorrt,
    "python": run_in_python_backend,
}
