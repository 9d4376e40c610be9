"""A repository with a model that is small enough to reason about: red pictures are dogs."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import onnx
from onnx import TensorProto, helper

from pawsight_serving.repository.directory import published_versions, read_manifest
from pawsight_serving.repository.manifest import Graph, Layer, Manifest, Preprocessing
from pawsight_serving.repository.triton_config import labels_text, model_config, write_config

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 8
HOT_OUTPUTS: dict[str, tuple[int, ...]] = {"probabilities": (2,), "gradcam": (2, 2, 2)}
EXPLAIN_OUTPUTS: dict[str, tuple[int, ...]] = {
    "probabilities": (2,),
    "activation:conv1": (2, 4, 4),
    "activation:pool1": (2, 2, 2),
    "gradcam:conv1": (2, 4, 4),
}


def publish_tiny(
    root: Path,
    name: str = "tiny",
    version: str = "1",
    *,
    bias: float = 0.0,
    engine: Literal["onnxruntime", "openvino", "tensorrt", "python"] = "onnxruntime",
    precision: Literal["fp32", "fp16", "int8"] = "fp32",
    side: int = SIDE,
    classes: tuple[str, str] = ("cat", "dog"),
    graph_bytes: bytes | None = None,
) -> Manifest:
    """Write one version of the model; `bias` is added to the logit of dog.

    Its configuration is for all versions in the folder; `graph_bytes` stand in the place of the
    graphs.
    """
    explain = f"{name}_explain"
    graphs = {
        graph: _write(
            root / graph / version,
            outputs,
            graph_bytes or _model(graph, outputs, bias, side).SerializeToString(),
        )
        for graph, outputs in ((name, HOT_OUTPUTS), (explain, EXPLAIN_OUTPUTS))
    }
    manifest = Manifest(
        name=name,
        version=version,
        created=datetime.now(UTC),
        architecture="tiny",
        classes=classes,
        input_size=(side, side),
        preprocessing=Preprocessing(mean=(0, 0, 0), std=(255, 255, 255)),
        layers=(
            Layer(name="conv1", kind="conv", channels=2, height=4, width=4),
            Layer(name="pool1", kind="pool", channels=2, height=2, width=2),
        ),
        precision=precision,
        engine=engine,
        weights_sha256="0" * 64,
        graphs=graphs,
    )
    for graph in graphs:
        (root / graph / version / "manifest.json").write_text(manifest.model_dump_json())
    published = [read_manifest(root, name, each) for each in published_versions(root, name)]
    for graph in graphs:
        (root / graph / "config.pbtxt").write_text(write_config(model_config(published, graph)))
        (root / graph / "labels.txt").write_text(labels_text(classes))
    return manifest


def _write(folder: Path, outputs: dict[str, tuple[int, ...]], data: bytes) -> Graph:
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(data)
    return Graph(file="model.onnx", sha256=hashlib.sha256(data).hexdigest(), outputs=outputs)


def _model(
    name: str, outputs: dict[str, tuple[int, ...]], bias: float, side: int
) -> onnx.ModelProto:
    """Return a graph: logit = mean red - mean blue + bias; maps = red and blue, pooled."""
    constants = {
        "scale": helper.make_tensor("scale", TensorProto.FLOAT, [], [255.0]),
        "bias": helper.make_tensor("bias", TensorProto.FLOAT, [], [bias]),
        "axes": helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3]),
        "red": helper.make_tensor("red", TensorProto.INT64, [1], [0]),
        "blue": helper.make_tensor("blue", TensorProto.INT64, [1], [2]),
        "both": helper.make_tensor("both", TensorProto.INT64, [2], [0, 2]),
    }
    nodes = [
        helper.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float", "scale"], ["unit"]),
        helper.make_node("ReduceMean", ["unit", "axes"], ["means"], keepdims=0),
        helper.make_node("Gather", ["means", "red"], ["mean_red"], axis=1),
        helper.make_node("Gather", ["means", "blue"], ["mean_blue"], axis=1),
        helper.make_node("Sub", ["mean_red", "mean_blue"], ["difference"]),
        helper.make_node("Add", ["difference", "bias"], ["dog"]),
        helper.make_node("Neg", ["dog"], ["cat"]),
        helper.make_node("Concat", ["cat", "dog"], ["logits"], axis=1),
        helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
        helper.make_node("Gather", ["unit", "both"], ["colours"], axis=1),
    ]
    nodes += [
        helper.make_node(
            "AveragePool",
            ["colours"],
            [output],
            kernel_shape=[side // shape[1]] * 2,
            strides=[side // shape[1]] * 2,
        )
        for output, shape in outputs.items()
        if output != "probabilities"
    ]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", side, side, 3])],
        [
            helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", *shape])
            for output, shape in outputs.items()
        ],
        initializer=list(constants.values()),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    # With the types of all values, as exported graphs have them.
    return onnx.shape_inference.infer_shapes(model)
