"""Both graphs of a model in the precision asked for.

The hot graph computes in it. The `_explain` graph holds the same weights and computes in float32:
its maps are exact for the weights that gave the prediction.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from pawsight_export.graphs.float16 import halve
from pawsight_export.graphs.graphs import ExplainGraph, HotGraph
from pawsight_export.graphs.onnx_graph import to_onnx
from pawsight_export.graphs.quantisation import quantise
from pawsight_export.graphs.stored_weights import hold_weights, read_weights

if TYPE_CHECKING:
    import onnx

    from pawsight_export.graphs.calibration import CalibrationSet
    from pawsight_training.architectures import ConvNet

Precision = Literal["fp32", "fp16", "int8"]


@dataclass(frozen=True, slots=True)
class Graphs:
    """What is exported of a model.

    Attributes:
        hot: the graph NAME.
        explain: the graph NAME_explain.
        explained: the net, in float32, with the weights that both graphs hold.
    """

    hot: onnx.ModelProto
    explain: onnx.ModelProto
    explained: ConvNet


def build_graphs(
    model: ConvNet,
    input_size: tuple[int, int],
    precision: Precision,
    calibration: CalibrationSet | None = None,
) -> Graphs:
    """Return the graphs of a model.

    Args:
        model: in eval mode.
        input_size: (height, width) in pixels.
        precision: of the hot graph's arithmetic and of the weights.
        calibration: pictures that show how large the maps get; for int8 alone.

    Raises:
        ArchitectureUnsupported: the model has a layer that the graphs cannot express.
    """
    module = HotGraph(model, input_size)
    hot = to_onnx(module, module.output_names, input_size)
    if precision == "fp16":
        hot = halve(hot)
    elif precision == "int8":
        if calibration is None:
            raise ValueError("int8 needs calibration pictures")
        hot = quantise(hot, calibration.pictures, calibration.method)
    explained = copy.deepcopy(model)
    held = read_weights(hot)
    stored = {name: held[name] for name, _ in model.named_parameters() if name in held}
    with torch.no_grad():
        for name, weight in stored.items():
            explained.get_parameter(name).copy_(torch.from_numpy(weight.as_float().copy()))
    backward = ExplainGraph(explained)
    explain = to_onnx(backward, backward.output_names, input_size)
    hold_weights(explain, stored)
    return Graphs(hot, explain, explained)
