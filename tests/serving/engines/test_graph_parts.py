from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from pawsight_serving.engines.graph_parts import (
    GraphPart,
    explain_parts,
    graph_parts,
    output_names,
)

IMAGE = np.arange(6, dtype=np.float32).reshape(2, 3)


def chain(*, typed: bool = True) -> onnx.ModelProto:
    """Return a graph like an `_explain` graph: forward, back, and further back.

    Its weight lies packed in int8, and is unpacked for both ways.
    """

    def value(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3])

    nodes = [
        helper.make_node("DequantizeLinear", ["packed", "scale"], ["weight"]),
        helper.make_node("Transpose", ["weight"], ["turned"]),
        helper.make_node("MatMul", ["image", "weight"], ["seen"]),
        helper.make_node("Relu", ["seen"], ["activation:a"]),
        helper.make_node("Neg", ["activation:a"], ["probabilities"]),
        helper.make_node("MatMul", ["seen", "turned"], ["walked"]),
        helper.make_node("Mul", ["walked", "activation:a"], ["gradcam:a"]),
        helper.make_node("Identity", ["walked"], ["gradient:a"]),
        helper.make_node("MatMul", ["walked", "turned"], ["gradient:input"]),
    ]
    # In an order in which none is before what it needs, as a file's outputs are.
    outputs = ["probabilities", "activation:a", "gradcam:a", "gradient:a", "gradient:input"]
    graph = helper.make_graph(
        nodes,
        "chain",
        [value("image")],
        [value(name) for name in outputs],
        [
            numpy_helper.from_array(np.arange(9, dtype=np.int8).reshape(3, 3), "packed"),
            numpy_helper.from_array(np.array(0.5, np.float32), "scale"),
        ],
        value_info=[value("seen"), value("walked")] if typed else [],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def run(parts: list[GraphPart]) -> dict[str, np.ndarray]:
    values = {"image": IMAGE}
    for part in parts:
        session = ort.InferenceSession(part.model)
        feeds = {name: values[name] for name in part.inputs}
        values.update(zip(part.outputs, session.run(part.outputs, feeds), strict=True))
    return values


def made_in(part: GraphPart) -> set[str]:
    graph = onnx.load_from_string(part.model).graph
    return {name for node in graph.node for name in node.output}


def test_parts_give_what_the_whole_gives() -> None:
    model = chain()
    parts = explain_parts(model.SerializeToString())
    outputs = output_names(model.SerializeToString())
    expected = ort.InferenceSession(model.SerializeToString()).run(None, {"image": IMAGE})
    found = run(parts)
    assert outputs == [each.name for each in model.graph.output]
    for name, values in zip(outputs, expected, strict=True):
        np.testing.assert_array_equal(found[name], values)


def test_a_part_goes_as_far_back_as_its_outputs_need() -> None:
    forward, back, further = explain_parts(chain().SerializeToString())
    assert made_in(forward) == {"weight", "seen", "activation:a", "probabilities"}
    assert made_in(back) == {"weight", "turned", "walked", "gradcam:a"}
    assert made_in(further) == {"weight", "turned", "gradient:a", "gradient:input"}
    assert (forward.inputs, back.inputs) == (("image",), ("activation:a", "seen"))
    assert (back.outputs, further.inputs) == (("gradcam:a", "walked"), ("walked",))


def test_a_weight_lies_with_those_who_use_it_alone() -> None:
    forward, *_ = explain_parts(chain().SerializeToString())
    (alone,) = graph_parts(chain().SerializeToString(), [["probabilities"]])
    assert {each.name for each in onnx.load_from_string(forward.model).graph.initializer} == {
        "packed",
        "scale",
    }
    assert made_in(alone) == {"weight", "seen", "activation:a", "probabilities"}


def test_without_the_types_of_what_would_be_handed_on_a_graph_stays_whole() -> None:
    model = chain(typed=False)
    (whole,) = explain_parts(model.SerializeToString())
    assert whole.model == model.SerializeToString()
    assert whole.inputs == ("image",)
    assert list(whole.outputs) == output_names(whole.model)


def test_a_part_keeps_what_the_file_says_of_itself() -> None:
    model = chain()
    model.producer_name = "pawsight"
    for part in explain_parts(model.SerializeToString()):
        cut = onnx.load_from_string(part.model)
        onnx.checker.check_model(cut, full_check=True)
        assert (cut.producer_name, cut.ir_version) == ("pawsight", 10)
        assert cut.opset_import == model.opset_import
        assert [each.op_type for each in cut.graph.node if "weight" in each.output] == [
            "DequantizeLinear"
        ]


def test_a_graph_of_one_group_is_one_part() -> None:
    model = chain()
    del model.graph.output[2:]
    (part,) = explain_parts(model.SerializeToString())
    assert part.outputs == ("probabilities", "activation:a")
