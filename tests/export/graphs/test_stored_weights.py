"""Weights read from a graph's file and put into another."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from pawsight_export.graphs.stored_weights import StoredWeight, hold_weights, read_weights

INT8 = StoredWeight(np.array([[1, -2], [3, 127]], np.int8), np.array([0.5, 2.0], np.float32))
HALF = StoredWeight(np.array([[1, 0.1], [3, 4]], np.float16))


def product(weight: str = "dense.weight") -> onnx.ModelProto:
    """x @ W, for a float W."""
    tensors = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, 2]) for name in "xy"
    ]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", weight], ["y"])],
        "product",
        tensors[:1],
        tensors[1:],
        [numpy_helper.from_array(np.eye(2, dtype=np.float32), weight)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def times_ones(model: onnx.ModelProto) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    result: np.ndarray = session.run(None, {"x": np.ones((1, 2), np.float32)})[0]
    return result


def test_rows_are_scaled() -> None:
    np.testing.assert_array_equal(INT8.as_float(), [[0.5, -1], [6, 254]])
    assert HALF.as_float().dtype == np.float32


@pytest.mark.parametrize("weight", [INT8, HALF])
def test_what_is_held_is_read_and_computed_with(weight: StoredWeight) -> None:
    model = product()
    hold_weights(model, {"dense.weight": weight, "of another graph": weight})
    stored = read_weights(model)["dense.weight"]
    assert stored.values.dtype == weight.values.dtype
    np.testing.assert_array_equal(stored.as_float(), weight.as_float())
    np.testing.assert_allclose(times_ones(model)[0], weight.as_float().sum(axis=0), rtol=1e-6)


def test_float32_stays_as_it_is() -> None:
    model = product()
    before = model.SerializeToString()
    hold_weights(model, read_weights(model))
    assert model.SerializeToString() == before


def test_weights_with_a_zero_point_are_refused() -> None:
    model = product()
    hold_weights(model, {"dense.weight": INT8})
    zero = numpy_helper.from_array(np.array([0, 7], np.int8), "zero")
    model.graph.initializer.append(zero)
    model.graph.node[0].input[2] = "zero"
    with pytest.raises(ValueError, match="symmetrically"):
        read_weights(model)
