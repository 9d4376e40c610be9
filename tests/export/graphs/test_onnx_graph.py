from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pawsight_export.graphs.onnx_graph import to_onnx
from pawsight_export.graphs.precisions import build_graphs
from tests.export.conftest import SIZE, random_net


def test_a_graph_names_no_folder_of_the_machine_that_made_it() -> None:
    data = build_graphs(random_net(), SIZE, "fp32").explain.SerializeToString()
    assert str(Path(__file__).parents[2]).encode() not in data
    assert b"site-packages" not in data


def test_an_interrupt_that_pytorch_hides_is_one_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def hides(*_: object, **__: object) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise AttributeError("a handler that was not imported yet")

    monkeypatch.setattr("torch.onnx.export", hides)
    with pytest.raises(KeyboardInterrupt):
        to_onnx(torch.nn.Identity(), ["same"], (4, 4))
