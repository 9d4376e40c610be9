from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import onnx
import onnxruntime
import pytest

from pawsight_export.publishing.staging import library_versions, stage_graph
from pawsight_serving.triton_server.view import MODEL_SOURCE
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
