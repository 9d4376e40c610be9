"""One version of a model, in the repository's layout, before it is published."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING, Final

from pawsight_export.tensorrt_plan import PLAN_FILE, build_plan
from pawsight_serving.repository.directory import MANIFEST_FILE
from pawsight_serving.repository.manifest import PYTHON_FILE, Graph
from pawsight_serving.repository.triton_config import (
    CONFIG_FILE,
    LABELS_FILE,
    MAX_BATCH,
    MAX_EXPLAIN_BATCH,
    model_config,
    write_config,
)
from pawsight_serving.triton_server.view import MODEL_SOURCE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import onnx

    from pawsight_serving.repository.manifest import Manifest

GRAPH_FILE: Final = "model.onnx"


def stage_graph(
    folder: Path, name: str, version: str, model: onnx.ModelProto, engine: str = "onnxruntime"
) -> Graph:
    """Write a graph's file, and what its engine needs beside it.

    Args:
        folder: in the repository's layout; made where it does not exist.
        name: the graph's name.
        version: the version's number.
        model: the graph.
        engine: "python" adds the `model.py`; see `compile_staged` for "tensorrt".

    Returns:
        What the manifest says of it.
    """
    data = model.SerializeToString()
    target = folder / name / version
    target.mkdir(parents=True)
    (target / GRAPH_FILE).write_bytes(data)
    files = {}
    if engine == "python":
        shutil.copyfile(MODEL_SOURCE, target / PYTHON_FILE)
        files[PYTHON_FILE] = hashlib.sha256(MODEL_SOURCE.read_bytes()).hexdigest()
    return Graph(
        file=GRAPH_FILE,
        sha256=hashlib.sha256(data).hexdigest(),
        files=files,
        outputs={
            output.name: tuple(dim.dim_value for dim in output.type.tensor_type.shape.dim[1:])
            for output in model.graph.output
        },
    )


def compile_staged(folder: Path, manifest: Manifest) -> Manifest:
    """Put a TensorRT plan in the place of each staged graph; return the manifest that says so.

    Raises:
        PlanNotBuilt: there is no TensorRT here, or it cannot build a graph.
    """
    graphs = {}
    for name, graph in manifest.graphs.items():
        target = folder / name / manifest.version
        plan = build_plan(
            (target / graph.file).read_bytes(),
            manifest.input_size,
            precision=manifest.arithmetic(name),
            largest=MAX_BATCH if name == manifest.name else MAX_EXPLAIN_BATCH,
        )
        (target / graph.file).unlink()
        (target / PLAN_FILE).write_bytes(plan)
        digest = hashlib.sha256(plan).hexdigest()
        graphs[name] = graph.model_copy(update={"file": PLAN_FILE, "sha256": digest})
    return manifest.model_copy(update={"graphs": graphs})


def stage_manifest(folder: Path, manifest: Manifest, earlier: Sequence[Manifest] = ()) -> None:
    """Write, for both graphs, the manifest, Triton's configuration and what that names.

    Args:
        folder: where the graphs were staged.
        manifest: of the staged version.
        earlier: the published versions of the same model, newest last; one configuration is for
            all of them.
    """
    text = manifest.model_dump_json(indent=2) + "\n"
    for graph in manifest.graphs:
        version = folder / graph / manifest.version
        (version / MANIFEST_FILE).write_text(text)
        config = model_config([*earlier, manifest], graph)
        (folder / graph / CONFIG_FILE).write_text(write_config(config))
        (folder / graph / LABELS_FILE).write_text("".join(f"{c}\n" for c in manifest.classes))
        if manifest.engine == "python":
            shutil.copyfile(MODEL_SOURCE, version / PYTHON_FILE)
