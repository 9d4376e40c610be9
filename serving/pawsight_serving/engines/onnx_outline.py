"""The outline of an ONNX file: the fields by which a graph can be taken apart.

Protocol buffers keep the fields that a schema does not name, so a file that is read and written by
these five messages loses nothing; serving does without the `onnx` package, which is larger than
all that it would be needed for. Field numbers: `onnx.proto` of ONNX, which never reuses one.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE: Final = "pawsight.onnx_outline"
_Field = descriptor_pb2.FieldDescriptorProto
# Of each message: a field's number, name and type, with a star where it is repeated.
_MESSAGES: Final = {
    "Model": ((7, "graph", "Graph"),),
    "Graph": (
        (1, "node", "Node*"),
        (5, "initializer", "Tensor*"),
        (11, "input", "Value*"),
        (12, "output", "Value*"),
        (13, "value_info", "Value*"),
    ),
    "Node": ((1, "input", "string*"), (2, "output", "string*")),
    "Tensor": ((8, "name", "string"),),
    "Value": ((1, "name", "string"),),
}


def _field(number: int, name: str, kind: str) -> descriptor_pb2.FieldDescriptorProto:
    base = kind.removesuffix("*")
    field = _Field(
        name=name,
        number=number,
        label=_Field.LABEL_OPTIONAL if base == kind else _Field.LABEL_REPEATED,
    )
    if base == "string":
        field.type = _Field.TYPE_STRING
    else:
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{base}"
    return field


def _model_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="pawsight/onnx_outline.proto", package=_PACKAGE, syntax="proto2"
    )
    for name, fields in _MESSAGES.items():
        file.message_type.add(name=name, field=[_field(*each) for each in fields])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Model"))


Model: Final = _model_class()
"""A file's message; its fields are those above."""
