"""int8 as ONNX Runtime, OpenVINO and TensorRT each take it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from pawsight_export.graphs.precisions import build_graphs
from pawsight_export.graphs.quantisation import quantise
from tests.drawn_pictures import FOLDERS, draw
from tests.export.conftest import SIZE, random_net

if TYPE_CHECKING:
    from pawsight_export.graphs.calibration import Method


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    height, width = SIZE
    drawn = [draw(shape, seed) for seed in range(20) for shape in FOLDERS.values()]
    return np.stack([np.asarray(picture.resize((width, height))) for picture in drawn])


@pytest.fixture(scope="module")
def graph() -> onnx.ModelProto:
    return build_graphs(random_net(), SIZE, "fp32").hot


@pytest.fixture(scope="module")
def int8(graph: onnx.ModelProto, pictures: np.ndarray) -> onnx.ModelProto:
    return quantise(graph, pictures, "minmax")


def test_every_convolution_and_dense_layer_has_int8_weights_by_channel(
    int8: onnx.ModelProto,
) -> None:
    arrays = {each.name: numpy_helper.to_array(each) for each in int8.graph.initializer}
    unpacked = {node.output[0]: node for node in int8.graph.node if node.op_type.startswith("Deq")}
    layers = [node for node in int8.graph.node if node.op_type in ("Conv", "Gemm")]
    assert len(layers) == 6
    for layer in layers:
        held, scale, zero = unpacked[layer.input[1]].input
        assert arrays[held].dtype == np.int8
        # Without VNNI, two products of more than seven bits overflow.
        assert np.abs(arrays[held].astype(int)).max() == 64
        assert arrays[scale].shape == (arrays[held].shape[0],)
        assert not arrays[zero].any()


def test_activations_are_symmetric_int8_and_biases_float(int8: onnx.ModelProto) -> None:
    arrays = {each.name: numpy_helper.to_array(each) for each in int8.graph.initializer}
    quantisers = [node for node in int8.graph.node if node.op_type == "QuantizeLinear"]
    assert quantisers
    for node in quantisers:
        assert arrays[node.input[2]].dtype == np.int8
        assert arrays[node.input[2]] == 0
    assert not [name for name, array in arrays.items() if array.dtype == np.int32]


def test_the_file_shrinks_by_three_quarters_of_its_weights(
    graph: onnx.ModelProto, int8: onnx.ModelProto
) -> None:
    packed = sum(
        parameter.numel()
        for name, parameter in random_net().named_parameters()
        if name.endswith("weight")
    )
    assert graph.ByteSize() - int8.ByteSize() > 3 * packed - 50_000


@pytest.mark.parametrize("method", ["minmax", "percentile", "entropy"])
def test_it_answers_nearly_as_the_float_graph(
    graph: onnx.ModelProto, pictures: np.ndarray, method: Method
) -> None:
    answers = [
        onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        ).run(None, {"image": pictures})
        for model in (graph, quantise(graph, pictures, method))
    ]
    for exact, rounded in zip(*answers, strict=True):
        correlation = np.corrcoef(exact.ravel(), rounded.ravel())[0, 1]
        assert 0.98 < correlation < 1


@pytest.mark.parametrize("method", ["percentile", "entropy"])
@pytest.mark.parametrize("count", [3, 10, 33])
def test_any_number_of_pictures_calibrates_by_any_method(
    graph: onnx.ModelProto, pictures: np.ndarray, method: Method, count: int
) -> None:
    assert quantise(graph, pictures[:count], method).graph.node


def test_any_number_of_pictures_calibrates(graph: onnx.ModelProto, pictures: np.ndarray) -> None:
    """Also one that fills no batch, and one batch more than is held at once."""
    few, many = (
        quantise(graph, chosen, "minmax") for chosen in (pictures[:3], pictures[[*range(33)]])
    )
    ranges = [
        {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
        for model in (few, many)
    ]
    scales = [name for name in ranges[0] if name.startswith("relu") and name.endswith("_scale")]
    assert scales
    assert all(ranges[0][name] <= ranges[1][name] for name in scales)
