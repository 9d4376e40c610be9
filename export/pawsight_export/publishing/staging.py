"""One version of a model, in the repository's layout, before it is published."""

from __future__ import annotations

import hashlib
import importlib.metadata
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

import onnxruntime
from torch import nn

from pawsight_export.filters import stage_filters
from pawsight_export.graphs.tensorrt_plan import PLAN_FILE, build_plan
from pawsight_serving.repository.directory import MANIFEST_FILE
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX, PYTHON_FILE, Graph, Layer, Manifest
from pawsight_serving.repository.triton_config import MAX_BATCH, MAX_EXPLAIN_BATCH
from pawsight_serving.triton_server.view import MODEL_SOURCE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import onnx

    from pawsight_export.graphs.precisions import Graphs, Precision
    from pawsight_training.runs.run import Run

Engine = Literal["onnxruntime", "openvino", "tensorrt", "python"]

GRAPH_FILE: Final = "model.onnx"

_LIBRARIES: Final = (
    "torch",
    "onnx",
    "onnxscript",
    "numpy",
    "pillow",
    "captum",
    "pawsight",
)


def stage_version(
    folder: Path,
    run: Run,
    name: str,
    version: str,
    built: Graphs,
    *,
    engine: Engine,
    precision: Precision,
    grids: Mapping[str, bytes],
) -> Manifest:
    """Write a run's graphs and the pictures of its filters.

    Args:
        folder: to be filled in the repository's layout.
        run: what is exported.
        name: the model's name.
        version: the version's number.
        built: the graphs.
        engine: what runs them.
        precision: of the hot graph.
        grids: pictures of the run's filters, by layer.

    Returns:
        The version's manifest, without any figure of a check.
    """
    explain = name + EXPLAIN_SUFFIX
    graphs = {
        graph: stage_graph(folder, graph, version, proto, engine)
        for graph, proto in ((name, built.hot), (explain, built.explain))
    }
    return Manifest(
        name=name,
        version=version,
        created=datetime.now(UTC),
        architecture=run.manifest.architecture,
        classes=run.manifest.classes,
        input_size=run.manifest.input_size,
        preprocessing=run.manifest.preprocessing,
        layers=_layers(built.explained.features, graphs[explain].outputs),
        precision=precision,
        engine=engine,
        weights_sha256=run.manifest.weights_sha256,
        graphs=graphs,
        filters=stage_filters(folder, explain, version, grids),
        metrics=run.manifest.metrics,
        training_run=_training_run(run),
        libraries=library_versions(),
    )


def library_versions() -> dict[str, str]:
    """Return the version of each library that an export depends on, by its name."""
    versions = {library: importlib.metadata.version(library) for library in _LIBRARIES}
    # Its package has several names, one per kind of machine.
    return versions | {"onnxruntime": onnxruntime.__version__}


def stage_graph(
    folder: Path, name: str, version: str, model: onnx.ModelProto, engine: Engine = "onnxruntime"
) -> Graph:
    """Write a graph's file, and what its engine needs beside it.

    Args:
        folder: in the repository's layout; made where it does not exist.
        name: the graph's name.
        version: the version's number.
        model: the graph; it is named here.
        engine: "python" adds the `model.py`; see `compile_staged` for "tensorrt".

    Returns:
        What the manifest says of it.
    """
    # ONNX Runtime keeps what TensorRT built under the graph's and its nodes' names, which all
    # versions of a model would share: one would be answered with the weights of another.
    model.graph.name = name
    content = hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()
    model.graph.name = f"{name}_{content[:16]}"
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
            largest=MAX_BATCH if name == manifest.name else MAX_EXPLAIN_BATCH,
        )
        (target / graph.file).unlink()
        (target / PLAN_FILE).write_bytes(plan)
        digest = hashlib.sha256(plan).hexdigest()
        graphs[name] = graph.model_copy(update={"file": PLAN_FILE, "sha256": digest})
    return manifest.model_copy(update={"graphs": graphs})


def stage_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest beside both graphs; their configurations are the publication's.

    Args:
        folder: where the graphs were staged.
        manifest: of the staged version.
    """
    text = manifest.model_dump_json(indent=2) + "\n"
    for graph in manifest.graphs:
        (folder / graph / manifest.version / MANIFEST_FILE).write_text(text)


def _layers(features: nn.Sequential, outputs: dict[str, tuple[int, ...]]) -> tuple[Layer, ...]:
    layers = []
    for name, layer in features.named_children():
        if isinstance(layer, nn.ReLU):
            continue
        channels, height, width = outputs[f"activation:{name}"]
        layers.append(
            Layer(
                name=name,
                kind="conv" if isinstance(layer, nn.Conv2d) else "pool",
                channels=channels,
                height=height,
                width=width,
            )
        )
    return tuple(layers)


def _training_run(run: Run) -> dict[str, str | int | float]:
    """Return how to find and repeat the training."""
    manifest = run.manifest
    return {
        "recipe": manifest.recipe_name,
        "created": manifest.created.isoformat(),
        "seed": manifest.seed,
        "epochs": manifest.epochs_trained,
        "training_pictures": sum(manifest.data.counts["train"].values()),
        "data_sha256": manifest.data.digests["train"],
    }
