"""Both graphs below float32 hold one set of weights."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from pawsight_export.graphs.calibration import CalibrationSet
from pawsight_export.graphs.precisions import Graphs, Precision, build_graphs
from pawsight_export.graphs.stored_weights import read_weights
from tests.export.conftest import SIZE, random_net

PICTURES = np.random.default_rng(0).integers(0, 256, (8, *SIZE, 3), np.uint8)


def build(precision: Precision) -> Graphs:
    calibration = CalibrationSet(PICTURES, "0" * 64, "minmax")
    return build_graphs(random_net(), SIZE, precision, calibration)


@pytest.fixture(scope="module", params=["fp16", "int8"])
def graphs(request: pytest.FixtureRequest) -> Graphs:
    return build(request.param)


def run(model: onnx.ModelProto, *outputs: str) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    values: list[np.ndarray] = session.run(outputs, {"image": PICTURES})
    return values


def test_both_graphs_hold_the_same_weights(graphs: Graphs) -> None:
    hot, explain = read_weights(graphs.hot), read_weights(graphs.explain)
    for name, parameter in graphs.explained.named_parameters():
        if name.endswith("weight"):
            assert hot[name].values.dtype in (np.int8, np.float16)
            np.testing.assert_array_equal(hot[name].values, explain[name].values)
            np.testing.assert_array_equal(explain[name].as_float(), parameter.detach().numpy())


def test_the_weights_are_the_nets_but_for_rounding(graphs: Graphs) -> None:
    in_int8 = read_weights(graphs.hot)["features.conv1.weight"].scale is not None
    # Seven bits with their sign, or the eleven of a float16.
    half_a_step = 1 / 128 if in_int8 else 1 / 2048
    for name, exact in random_net().named_parameters():
        rounded = graphs.explained.get_parameter(name)
        assert (rounded - exact).abs().max() <= half_a_step * exact.abs().max() + 1e-7


def test_the_explain_graph_computes_in_float32_what_those_weights_give(graphs: Graphs) -> None:
    with torch.no_grad():
        dog = graphs.explained(torch.from_numpy(PICTURES).permute(0, 3, 1, 2)).sigmoid().numpy()
    (probabilities,) = run(graphs.explain, "probabilities")
    np.testing.assert_allclose(probabilities[:, 1:], dog, atol=1e-6)


def test_the_outputs_are_float32_and_the_input_is_uint8(graphs: Graphs) -> None:
    for model in (graphs.hot, graphs.explain):
        types = {each.type.tensor_type.elem_type for each in model.graph.output}
        assert types == {onnx.TensorProto.FLOAT}
        assert [(each.name, each.type.tensor_type.elem_type) for each in model.graph.input] == [
            ("image", onnx.TensorProto.UINT8)
        ]


def test_below_float32_a_file_is_as_much_smaller(graphs: Graphs) -> None:
    full = build("fp32")
    share = 0.45 if read_weights(graphs.hot)["features.conv1.weight"].scale is not None else 0.55
    assert graphs.hot.ByteSize() < share * full.hot.ByteSize()
    assert graphs.explain.ByteSize() < full.explain.ByteSize()


def test_int8_without_pictures_is_refused() -> None:
    with pytest.raises(ValueError, match="calibration pictures"):
        build_graphs(random_net(), SIZE, "int8")
