from __future__ import annotations

from pathlib import Path

from pawsight_export.graphs import ExplainGraph
from pawsight_export.onnx_graph import to_onnx
from tests.export.conftest import SIZE, random_net


def test_a_graph_names_no_folder_of_the_machine_that_made_it() -> None:
    module = ExplainGraph(random_net())
    data = to_onnx(module, module.output_names, SIZE).SerializeToString()
    assert str(Path(__file__).parents[2]).encode() not in data
    assert b"site-packages" not in data
