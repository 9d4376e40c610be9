from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import onnx
import onnxruntime
import pytest
from torch import nn

from pawsight_export.graphs.precisions import Graphs
from pawsight_export.publishing.staging import library_versions, stage_graph, stage_version
from pawsight_serving.triton_server.view import MODEL_SOURCE
from pawsight_training.runs.run import DataSummary, load_run
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_export.publishing.staging import Engine


@pytest.mark.parametrize(
    ("engine", "beside"), [("onnxruntime", []), ("openvino", []), ("python", ["model.py"])]
)
def test_every_file_that_is_staged_is_in_the_manifest(
    tmp_path: Path, engine: Engine, beside: list[str]
) -> None:
    publish_tiny(tmp_path)
    model = onnx.load(tmp_path / "tiny" / "1" / "model.onnx")
    graph = stage_graph(tmp_path / "staged", "tiny", "2", model, engine)
    folder = tmp_path / "staged" / "tiny" / "2"
    digests = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in folder.iterdir()}
    assert digests == {graph.file: graph.sha256, **graph.files}
    assert list(graph.files) == beside
    if beside:
        assert (folder / "model.py").read_bytes() == MODEL_SOURCE.read_bytes()


def test_the_manifest_says_what_was_exported_and_how_to_train_it_again(
    run_folder: Path, tmp_path: Path
) -> None:
    publish_tiny(tmp_path)
    hot, explain = (
        onnx.load(tmp_path / graph / "1" / "model.onnx") for graph in ("tiny", "tiny_explain")
    )
    net: Any = SimpleNamespace(
        features=nn.Sequential(
            OrderedDict(conv1=nn.Conv2d(3, 2, 3), conv1_relu=nn.ReLU(), pool1=nn.MaxPool2d(2))
        )
    )
    trained = load_run(run_folder)
    data = DataSummary(
        sources=("drawn",),
        counts={"train": {"cat": 20, "dog": 3}, "test": {"cat": 5, "dog": 5}},
        digests={"train": "a" * 64, "test": "b" * 64},
    )
    metrics = {"validation": {"accuracy": 0.5}}
    about = trained.manifest.model_copy(
        update={"data": data, "seed": 8, "epochs_trained": 4, "metrics": metrics}
    )
    manifest = stage_version(
        tmp_path / "staged",
        replace(trained, manifest=about),
        "pets",
        "7",
        Graphs(hot, explain, net),
        engine="openvino",
        precision="int8",
        grids={},
    )
    assert (manifest.name, manifest.version) == ("pets", "7")
    assert (manifest.engine, manifest.precision) == ("openvino", "int8")
    assert manifest.weights_sha256 == about.weights_sha256
    assert (manifest.metrics, manifest.libraries) == (metrics, library_versions())
    assert manifest.training_run == {
        "recipe": "scratch",
        "created": about.created.isoformat(),
        "seed": 8,
        "epochs": 4,
        "training_pictures": 23,
        "data_sha256": "a" * 64,
    }
    shapes = [(each.kind, each.channels, each.height, each.width) for each in manifest.layers]
    assert shapes == [("conv", 2, 4, 4), ("pool", 2, 2, 2)]
    assert manifest.graphs["pets"].outputs == {"probabilities": (2,), "gradcam": (2, 2, 2)}
    assert "activation:conv1" in manifest.graphs["pets_explain"].outputs


def test_the_runtime_that_measured_is_among_the_libraries() -> None:
    versions = library_versions()
    assert versions["onnxruntime"] == onnxruntime.__version__
    assert {"torch", "onnx", "pawsight"} < set(versions)


def test_no_two_graphs_share_a_name_that_an_engine_could_be_cached_under(tmp_path: Path) -> None:
    publish_tiny(tmp_path / "repository")
    model = onnx.load(tmp_path / "repository" / "tiny" / "1" / "model.onnx")
    names = []
    for version in ("1", "2", "3"):
        if version == "3":
            weights = model.graph.initializer[0]
            weights.raw_data = bytes(len(weights.raw_data))
        stage_graph(tmp_path, "tiny", version, model)
        names.append(onnx.load(tmp_path / "tiny" / version / "model.onnx").graph.name)
    assert names[0] == names[1] != names[2]
