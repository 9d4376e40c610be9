"""Weights as a graph's file holds them: int8 with scales, float16, or float32.

The `_explain` graph computes in float32 whatever the precision, over the very weights that the hot
graph holds. They are read from the one file and put into the other as they are, behind a
DequantizeLinear or a Cast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# What ONNX Runtime's quantiser appends to a weight's name, and so do we.
_HELD: Final = "_quantized"


@dataclass(frozen=True, slots=True, eq=False)
class StoredWeight:
    """One weight of a graph.

    Attributes:
        values: int8, float16 or float32, in the weight's shape.
        scale: float32, one for each row of the first axis; None where there is none.
    """

    values: NDArray[np.generic]
    scale: NDArray[np.float32] | None = None

    def as_float(self) -> NDArray[np.float32]:
        """Return what the engine computes with."""
        values = self.values.astype(np.float32)
        if self.scale is None:
            return values
        return values * self.scale.reshape(-1, *[1] * (values.ndim - 1))


def read_weights(model: onnx.ModelProto) -> dict[str, StoredWeight]:
    """Return the weights of a graph by the names that they have in the net."""
    arrays = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    stored = {
        _own_name(name): StoredWeight(values)
        for name, values in arrays.items()
        if values.dtype in (np.float32, np.float16)
    }
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in arrays:
            quantised, scale, *zero = node.input
            if zero and arrays[zero[0]].any():
                raise ValueError(f"{quantised} is not quantised symmetrically")
            stored[_own_name(quantised)] = StoredWeight(arrays[quantised], arrays[scale])
    return stored


def hold_weights(model: onnx.ModelProto, weights: Mapping[str, StoredWeight]) -> None:
    """Make a float32 graph hold these weights in place of its own of the same names."""
    graph = model.graph
    own = {each.name: each for each in graph.initializer}
    for name in own.keys() & weights.keys():
        weight = weights[name]
        if weight.values.dtype == np.float32:
            continue
        graph.initializer.remove(own[name])
        held = name + _HELD
        graph.initializer.append(numpy_helper.from_array(weight.values, held))
        if weight.scale is None:
            node = helper.make_node("Cast", [held], [name], to=onnx.TensorProto.FLOAT)
        else:
            scale, zero = f"{name}_scale", f"{name}_zero_point"
            graph.initializer.append(numpy_helper.from_array(weight.scale, scale))
            # Left out, ONNX Runtime takes it for uint8 where it moves the node about.
            zeros = np.zeros(weight.scale.shape, weight.values.dtype)
            graph.initializer.append(numpy_helper.from_array(zeros, zero))
            node = helper.make_node("DequantizeLinear", [held, scale, zero], [name], axis=0)
        node.name = f"{name}_as_float"
        graph.node.insert(0, node)
    onnx.checker.check_model(model, full_check=True)


def _own_name(held: str) -> str:
    return held.removesuffix(_HELD)
