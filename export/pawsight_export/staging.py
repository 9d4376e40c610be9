"""One version of a model, in the repository's layout, before it is published."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from pawsight_export.triton_config import LABELS_FILE, model_config
from pawsight_serving.repository.directory import MANIFEST_FILE
from pawsight_serving.repository.manifest import Graph

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

    from pawsight_serving.repository.manifest import Manifest

GRAPH_FILE: Final = "model.onnx"


def stage_graph(folder: Path, name: str, version: str, model: onnx.ModelProto) -> Graph:
    """Write a graph's file and return what the manifest says of it."""
    data = model.SerializeToString()
    target = folder / name / version
    target.mkdir(parents=True)
    (target / GRAPH_FILE).write_bytes(data)
    return Graph(
        file=GRAPH_FILE,
        sha256=hashlib.sha256(data).hexdigest(),
        outputs={
            output.name: tuple(dim.dim_value for dim in output.type.tensor_type.shape.dim[1:])
            for output in model.graph.output
        },
    )


def stage_manifest(folder: Path, manifest: Manifest) -> None:
    """Write, for both graphs, the manifest, Triton's configuration and the labels."""
    text = manifest.model_dump_json(indent=2) + "\n"
    for graph in manifest.graphs:
        (folder / graph / manifest.version / MANIFEST_FILE).write_text(text)
        (folder / graph / "config.pbtxt").write_text(model_config(manifest, graph))
        (folder / graph / LABELS_FILE).write_text("".join(f"{c}\n" for c in manifest.classes))
