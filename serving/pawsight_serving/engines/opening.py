"""Opens a graph in ONNX Runtime the way that is fastest where it runs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, Protocol

import onnxruntime as ort

from pawsight_serving.engines.fixed_sizes import FixedSizes
from pawsight_serving.engines.parted_session import PartedSession
from pawsight_serving.engines.usable_providers import usable_providers
from pawsight_serving.execution_providers import (
    CPU_PROVIDER,
    GPU_PROVIDERS,
    OPENVINO_PROVIDER,
    choose_providers,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.engines.sharing import Sharing
    from pawsight_serving.execution_providers import Provider

_SIZES_IN_OPENVINO: Final = (1, 4, 8)
_LARGEST_ELSEWHERE: Final = 6


class Session(Protocol):
    """What is used of an `InferenceSession`."""

    def run(
        self, outputs: Sequence[str] | None, inputs: Mapping[str, NDArray[np.uint8]]
    ) -> Sequence[NDArray[np.float32]]:
        """Return outputs of a batch; None means all."""

    def get_providers(self) -> Sequence[str]:
        """Return the execution providers that run it, the first one first."""

    def get_outputs(self) -> Sequence[ort.NodeArg]:
        """Return what the graph gives."""


def open_graph(model: bytes, precision: str, sharing: Sharing, *, in_parts: bool) -> Session:
    """Open a graph.

    Args:
        model: the ONNX file's bytes.
        precision: of its arithmetic.
        sharing: how calls share the processor.
        in_parts: whether it is an `_explain` graph, which a processor computes no further than the
            outputs asked for need.
    """
    if in_parts and _providers(precision, sharing)[0][0] == CPU_PROVIDER:
        return PartedSession(model, lambda part: _open(part, precision, sharing, is_part=True))
    session: Session = _open(model, precision, sharing)
    provider = session.get_providers()[0]
    if provider not in GPU_PROVIDERS:
        return session
    largest = batch_sizes(provider, sharing.largest_batch)[-1]
    others = {} if largest == 1 else {largest: _open(model, precision, sharing)}
    return FixedSizes({1: session, **others})


def batch_sizes(provider: str, largest: int | None) -> Sequence[int]:
    """Return how many pictures to run in one go, in rising order.

    OpenVINO keeps what it has prepared for each size that it met: some 10 MiB for four pictures of
    the shipped VGG16, 13 for eight, and more on a processor with AMX.
    """
    if provider == OPENVINO_PROVIDER:
        largest = largest or _SIZES_IN_OPENVINO[-1]
        return [*(size for size in _SIZES_IN_OPENVINO if size < largest), largest]
    return range(1, (largest or _LARGEST_ELSEWHERE) + 1)


def _open(
    model: bytes, precision: str, sharing: Sharing, *, is_part: bool = False
) -> ort.InferenceSession:
    threads = sharing.threads
    options = ort.SessionOptions()
    options.log_severity_level = 3
    # A number that is set also keeps ONNX Runtime from binding its threads to cores.
    options.intra_op_num_threads = threads.each
    # A pool that spins between calls takes the core that decoding needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # ONNX Runtime's own arena keeps twice what the largest batch took, which pays where every
    # call takes the same.
    options.enable_cpu_mem_arena = sharing.largest_batch == 1
    if is_part:
        _share_arena()
        options.add_session_config_entry("session.use_env_allocators", "1")
    if precision == "fp32":
        # Weights that lie packed in the file are unpacked once, here, and not at every call.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = ort.InferenceSession(model, options, providers=_providers(precision, sharing))
    _forget_the_file(session)
    return session


def _forget_the_file(session: ort.InferenceSession) -> None:
    """Let go of the graph's bytes, which the session would hold for as long as it lives.

    It needs them only to move to other providers by itself when a call fails. It shall not do that
    either: a failure is to be seen, and what was said to run a graph is to be what runs it.
    """
    session.disable_fallback()
    session._model_bytes = None


@cache
def _share_arena() -> None:
    """Let the parts of graphs work in one arena: with one each they would keep 65 MiB more."""
    cpu = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    ort.create_and_register_allocator(cpu, None)


def _providers(precision: str, sharing: Sharing) -> list[Provider]:
    usable = [each for each in usable_providers() if sharing.gpu or each not in GPU_PROVIDERS]
    return choose_providers(usable, precision, sharing.threads)
