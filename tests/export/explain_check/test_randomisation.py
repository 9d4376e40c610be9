"""What is replaced when a layer's weights are drawn anew."""

from __future__ import annotations

import numpy as np
from onnx import numpy_helper

from pawsight_export.explain_check.randomisation import _randomise
from pawsight_export.graphs.precisions import build_graphs
from tests.export.conftest import SIZE, random_net


def test_every_form_of_a_layers_weights_is_drawn_anew() -> None:
    """The way back has the first layer's kernels turned around, folded into a weight of its own."""
    graphs = build_graphs(random_net(), SIZE, "fp32")

    def values() -> dict[str, np.ndarray]:
        initializers = graphs.explain.graph.initializer
        return {each.name: numpy_helper.to_array(each).copy() for each in initializers}

    before = values()
    kernels = before["features.conv1.weight"]
    turned = [
        name
        for name, held in before.items()
        if held.size == kernels.size
        and np.array_equal(held.ravel(), kernels.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1].ravel())
    ]
    assert turned
    _randomise([graphs.hot, graphs.explain], "features.conv1", np.random.default_rng(0))
    after = values()
    drawn = after["features.conv1.weight"]
    assert not np.array_equal(drawn, kernels)
    for name in turned:
        anew = drawn.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
        assert np.array_equal(after[name].ravel(), anew.ravel())
