"""Which of ONNX Runtime's execution providers runs a graph, and with how many threads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

Provider = tuple[str, dict[str, str]]

CPU_PROVIDER: Final = "CPUExecutionProvider"
OPENVINO_PROVIDER: Final = "OpenVINOExecutionProvider"
GPU_PROVIDERS: Final = frozenset({"TensorrtExecutionProvider", "CUDAExecutionProvider"})

_CUDA: Final = {
    # TF32 keeps ten bits of a float's fraction, and the served maps would not be the exported ones.
    "use_tf32": "0",
    # Without the search that would be made at each change of the batch's size.
    "cudnn_conv_algo_search": "HEURISTIC",
}


@dataclass(frozen=True, slots=True)
class Threads:
    """How a session uses the processor: `streams` calls side by side, `each` threads a call."""

    streams: int
    each: int


def wanted_providers(precision: str, threads: Threads | None = None) -> list[Provider]:
    """Return the providers that a graph should run on, best first; the CPU is the last resort.

    Args:
        precision: the manifest's; OpenVINO is taken for int8 alone, as ONNX Runtime's own
            kernels are no slower in float (`benchmarks/`).
        threads: how to share the processor; without it each provider does as it likes.
    """
    wanted: list[Provider] = [
        ("TensorrtExecutionProvider", {}),
        ("CUDAExecutionProvider", _CUDA),
    ]
    if precision == "int8":
        wanted.append(
            (
                OPENVINO_PROVIDER,
                {"device_type": "CPU", "load_config": json.dumps({"CPU": _openvino(threads)})},
            )
        )
    wanted.append((CPU_PROVIDER, {}))
    return wanted


def choose_providers(
    available: Sequence[str], precision: str, threads: Threads | None = None
) -> list[Provider]:
    """Return the wanted providers that the installed build of ONNX Runtime offers."""
    wanted = wanted_providers(precision, threads)
    return [provider for provider in wanted if provider[0] in available]


def _openvino(threads: Threads | None) -> dict[str, str]:
    """Return OpenVINO's properties ("CPU device", Supported Properties, in its documentation)."""
    # OpenVINO would compute float graphs in bf16 where the processor has it, and the served maps
    # would no longer be the exported ones.
    properties = {
        "INFERENCE_PRECISION_HINT": "f32",
        # Two processes of one thread each, gateway and sidecar, would sit on one core.
        "ENABLE_CPU_PINNING": "NO",
    }
    if threads is not None:
        properties |= {
            "NUM_STREAMS": str(threads.streams),
            "INFERENCE_NUM_THREADS": str(threads.streams * threads.each),
        }
    return properties
