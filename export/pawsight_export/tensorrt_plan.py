"""An ONNX graph as a TensorRT plan, built on the machine whose GPU will run it.

NVIDIA's documentation: "TensorRT Python API", Builder; "Working with Dynamic Shapes".
"""

from __future__ import annotations

import importlib
from typing import Any, Final

from pawsight_export.errors import PlanNotBuilt
from pawsight_serving.repository.triton_backends import tensorrt_profiles

PLAN_FILE: Final = "model.plan"
_WORKSPACE_BYTES: Final = 4 << 30


def build_plan(
    model: bytes,
    input_size: tuple[int, int],
    *,
    precision: str,
    largest: int,
) -> bytes:
    """Return the plan of a graph, for batches from 1 to `largest`.

    Args:
        model: the ONNX file's bytes; int8 graphs say by their own nodes what is int8.
        input_size: height and width of `image`.
        precision: "fp32" computes in full float32, without TF32; "fp16" and "int8" leave the
            choice of float16 to TensorRT.
        largest: the largest batch; there is an optimisation profile for each batch of
            `tensorrt_profiles`, as the configuration says.

    Raises:
        PlanNotBuilt: there is no TensorRT here, or it cannot build this graph.
    """
    trt = load_tensorrt()
    logger = trt.Logger(trt.Logger.WARNING)
    builder = trt.Builder(logger)
    network = builder.create_network(_flags(trt))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(model):
        raise PlanNotBuilt(
            "TensorRT cannot read the graph; export with --engine onnxruntime, whose Triton "
            "backend gives TensorRT the parts that it can run."
        )
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, _WORKSPACE_BYTES)
    if precision == "fp32":
        config.clear_flag(trt.BuilderFlag.TF32)
    else:
        config.set_flag(trt.BuilderFlag.FP16)
    if precision == "int8":
        config.set_flag(trt.BuilderFlag.INT8)
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


def _flags(trt: Any) -> int:
    """Return what asks for a dynamic batch; since TensorRT 10 nothing else is to be had."""
    explicit = getattr(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
    return 0 if explicit is None else 1 << int(explicit)
