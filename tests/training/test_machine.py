from __future__ import annotations

import pytest
import torch

from pawsight_training.machine import best_precision


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, "bf16"),
        ({"avx512_bf16": False, "amx_bf16": True}, "bf16"),
        ({"avx512_bf16": False}, "32"),
        ({}, "32"),
    ],
)
def test_a_cpu_uses_bfloat16_where_it_multiplies_it(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], precision: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert best_precision("cpu") == precision


@pytest.mark.parametrize(("native", "precision"), [(True, "bf16"), (False, "32")])
def test_a_gpu_uses_bfloat16_where_it_is_native(
    monkeypatch: pytest.MonkeyPatch, native: bool, precision: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert best_precision() == precision
