from __future__ import annotations

from typing import Any

import onnx

from pawsight_serving.engines.onnx_outline import Model
from tests.serving.engines.test_graph_parts import chain


def test_what_the_outline_does_not_name_is_kept() -> None:
    file = chain().SerializeToString()
    assert onnx.load_from_string(Model.FromString(file).SerializeToString()) == chain()


def test_its_fields_are_those_of_onnx() -> None:
    messages: dict[str, Any] = {
        "Model": onnx.ModelProto,
        "Graph": onnx.GraphProto,
        "Node": onnx.NodeProto,
        "Tensor": onnx.TensorProto,
        "Value": onnx.ValueInfoProto,
    }
    for name, theirs in messages.items():
        ours = Model.DESCRIPTOR.file.message_types_by_name[name]
        assert len(ours.fields) > 0
        for field in ours.fields:
            expected = theirs.DESCRIPTOR.fields_by_name[field.name]
            assert (field.number, field.type) == (expected.number, expected.type)
            assert field.is_repeated == expected.is_repeated
