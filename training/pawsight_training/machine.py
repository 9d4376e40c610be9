"""What a training runs on, and in which precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

Precision = Literal["32", "bf16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where a training runs, in Lightning's terms.

    Attributes:
        accelerator: "auto", "cpu", "gpu" …
        devices: how many of them on each node.
        nodes: how many machines.
        strategy: how several devices work together: "auto", "ddp" …
        precision: "32", or "bf16" for mixed precision.
    """

    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    strategy: str = "auto"
    precision: Precision = "32"


def best_precision(accelerator: str = "auto") -> Precision:
    """Return "bf16" where the hardware multiplies bfloat16 natively, else "32"."""
    if accelerator != "cpu" and torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "32"
    capabilities = torch.cpu.get_capabilities()
    native = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return "bf16" if native else "32"
