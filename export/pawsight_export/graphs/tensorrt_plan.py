"""An ONNX graph as a TensorRT plan, built on the machine whose GPU will run it.

NVIDIA's documentation: "TensorRT Python API", Builder; "Working with Dynamic Shapes"; "Strongly
Typed Networks".
"""

from __future__ import annotations

import functools
import importlib
from typing import Any, Final

import onnx

from pawsight_export.errors import PlanNotBuilt
from pawsight_serving.repository.triton_backends import tensorrt_profiles

PLAN_FILE: Final = "model.plan"
_WORKSPACE_BYTES: Final = 4 << 30


def build_plan(model: bytes, input_size: tuple[int, int], *, largest: int) -> bytes:
    """Return the plan of a graph, for batches from 1 to `largest`.

    The network is strongly typed, the one kind that TensorRT 11 has: each operation is computed in
    what the graph itself says, be it float32 (without TF32), float16 or int8.

    Args:
        model: the ONNX file's bytes.
        input_size: height and width of `image`.
        largest: the largest batch; there is an optimisation profile for each batch of
            `tensorrt_profiles`, as the configuration says.

    Raises:
        PlanNotBuilt: there is no TensorRT here, or it cannot build this graph.
    """
    trt = load_tensorrt()
    logger = _logger(trt)
    builder = _builder(trt, logger)
    network = builder.create_network(_flags(trt))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(cast_first(onnx.load_from_string(model)).SerializeToString()):
        raise PlanNotBuilt(
            f"TensorRT cannot read the graph: {_first_error(parser)} Export with --engine "
            "onnxruntime, whose Triton backend gives TensorRT the parts that it can run."
        )
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, _WORKSPACE_BYTES)
    config.clear_flag(trt.BuilderFlag.TF32)
    for most in tensorrt_profiles(largest):
        profile = builder.create_optimization_profile()
        least, usual = (1, *input_size, 3), (most, *input_size, 3)
        profile.set_shape("image", least, usual, usual)
        config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise PlanNotBuilt(
            "TensorRT could not build the plan; its messages above say why. Is there memory left "
            "on the GPU?"
        )
    return bytes(plan)


def load_tensorrt() -> Any:
    """Return NVIDIA's module.

    Raises:
        PlanNotBuilt: it is not installed.
    """
    try:
        return importlib.import_module("tensorrt")
    except ImportError as error:
        raise PlanNotBuilt(
            "A TensorRT plan is built by NVIDIA's package `tensorrt`, on the machine with the GPU "
            "that will run it, and it is not installed here; install it with: pip install "
            "tensorrt. Or export with --engine onnxruntime, whose Triton backend builds its "
            "own plans where it runs."
        ) from error


def cast_first(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph whose picture is cast before it is transposed, and not after it.

    TensorRT takes bytes as an input and lets them be cast, and nothing else. The graph that others
    serve transposes bytes, as they are a quarter of the floats; the values are the same.

    Args:
        model: takes `image`, uint8 [N, H, W, 3].
    """
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    nodes = changed.graph.node
    reader = {name: index for index, node in enumerate(nodes) for name in node.input}
    first = reader["image"]
    second = reader.get(nodes[first].output[0], first)
    if (nodes[first].op_type, nodes[second].op_type) == ("Transpose", "Cast"):
        transpose, cast = onnx.NodeProto(), onnx.NodeProto()
        transpose.CopyFrom(nodes[first])
        cast.CopyFrom(nodes[second])
        floats = cast.output[0]
        cast.input[0], cast.output[0] = "image", transpose.output[0]
        transpose.input[0], transpose.output[0] = cast.output[0], floats
        nodes[first].CopyFrom(cast)
        nodes[second].CopyFrom(transpose)
        # It says what type each of them had.
        del changed.graph.value_info[:]
        onnx.checker.check_model(changed)
    return changed


@functools.cache
def _logger(trt: Any) -> Any:
    """Return the one logger of this process: TensorRT complains of a second."""
    return trt.Logger(trt.Logger.WARNING)


def _builder(trt: Any, logger: Any) -> Any:
    try:
        return trt.Builder(logger)
    except (TypeError, RuntimeError) as error:
        raise PlanNotBuilt(
            "TensorRT does not start here; its messages above say why. It needs an NVIDIA GPU and "
            "a driver that is new enough for it."
        ) from error


def _flags(trt: Any) -> int:
    """Return what asks for a strongly typed network.

    Raises:
        PlanNotBuilt: this TensorRT has none.
    """
    strongly_typed = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    if strongly_typed is None:
        raise PlanNotBuilt(
            f"TensorRT {trt.__version__} knows no strongly typed networks; install TensorRT 10 or "
            "newer, the version that your Triton has."
        )
    return 1 << int(strongly_typed)


def _first_error(parser: Any) -> str:
    """Return which node it is, and its reason; what follows is the way there."""
    return " ".join(str(parser.get_error(0).desc()).splitlines()[:2]) + "."
