"""Which of ONNX Runtime's execution providers runs a graph."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Provider = tuple[str, dict[str, str]]

# OpenVINO would compute float graphs in bf16 where the processor has it, and the served maps
# would no longer be the exported ones.
_OPENVINO_CPU = json.dumps({"CPU": {"INFERENCE_PRECISION_HINT": "f32"}})


def wanted_providers(precision: str) -> list[Provider]:
    """Return the providers that a graph should run on, best first; the CPU is the last resort.

    Args:
        precision: the manifest's; OpenVINO is taken for int8 alone, as ONNX Runtime's own
            kernels are no slower in float (`benchmarks/`).
    """
    wanted: list[Provider] = [
        ("TensorrtExecutionProvider", {}),
        ("CUDAExecutionProvider", {}),
    ]
    if precision == "int8":
        wanted.append(
            ("OpenVINOExecutionProvider", {"device_type": "CPU", "load_config": _OPENVINO_CPU})
        )
    wanted.append(("CPUExecutionProvider", {}))
    return wanted


def choose_providers(available: Sequence[str], precision: str) -> list[Provider]:
    """Return the wanted providers that the installed build of ONNX Runtime offers."""
    return [provider for provider in wanted_providers(precision) if provider[0] in available]
