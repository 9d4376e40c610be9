from __future__ import annotations

import functools
import hashlib
import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest

from pawsight_export.errors import PlanNotBuilt
from pawsight_export.exporting import export_run
from pawsight_export.graphs.calibration import CalibrationSet
from pawsight_export.graphs.precisions import Graphs, Precision, build_graphs
from pawsight_export.graphs.tensorrt_plan import build_plan, cast_first
from pawsight_export.publishing.staging import compile_staged
from pawsight_export.request import ExportRequest
from pawsight_serving.repository.directory import read_manifests
from pawsight_serving.repository.served import read_graph_config
from pawsight_serving.repository.triton_backends import tensorrt_profiles
from pawsight_serving.repository.verification import verify
from tests.drawn_pictures import draw_folder
from tests.export.conftest import SMALL_SIZE, small_net
from tests.export.tensorrt_for_rtx import load_tensorrt_for_rtx
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tensorrt(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = load_tensorrt_for_rtx()
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    return module


PICTURES = np.random.default_rng(0).integers(0, 256, (4, *SMALL_SIZE, 3), np.uint8)


@functools.cache
def graphs_of(precision: Precision) -> Graphs:
    calibration = CalibrationSet(PICTURES, "0" * 64, "minmax")
    return build_graphs(small_net(), SMALL_SIZE, precision, calibration)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_both_graphs_of_each_precision_become_plans(
    tensorrt: ModuleType, precision: Precision
) -> None:
    graphs = graphs_of(precision)
    for graph in (graphs.hot, graphs.explain):
        assert build_plan(graph.SerializeToString(), SMALL_SIZE, largest=4)


def test_a_plan_has_a_profile_for_each_batch_and_computes_whole_floats(
    tensorrt: ModuleType,
) -> None:
    build_plan(graphs_of("fp32").hot.SerializeToString(), SMALL_SIZE, largest=16)
    (builder,) = tensorrt.builders
    height, width = SMALL_SIZE
    assert [profile.get_shape("image") for profile in builder.profiles] == [
        [(1, height, width, 3), (most, height, width, 3), (most, height, width, 3)]
        for most in (1, 8, 16)
    ]
    assert builder.in_tf32 is False


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_to_cast_before_transposing_changes_no_value(precision: Precision) -> None:
    graphs = graphs_of(precision)
    for graph in (graphs.hot, graphs.explain):
        changed = cast_first(graph)
        assert [node.op_type for node in changed.graph.node if "image" in node.input] == ["Cast"]
        for was, is_now in zip(run(graph), run(changed), strict=True):
            np.testing.assert_array_equal(was, is_now)
        assert cast_first(changed) == changed


def test_a_graph_that_tensorrt_cannot_read_is_said_with_its_reason(tensorrt: ModuleType) -> None:
    text = """
        <ir_version: 9, opset_import: ["" : 18]>
        bytes (uint8[n, 8, 8, 3] image) => (uint8[n, 3, 8, 8] planes) {
            planes = Transpose<perm = [0, 3, 1, 2]>(image)
        }"""
    graph = onnx.parser.parse_model(text).SerializeToString()
    with pytest.raises(PlanNotBuilt, match=r"cannot read the graph: .*UInt8.*--engine onnxruntime"):
        build_plan(graph, (8, 8), largest=4)


def test_a_plan_that_cannot_be_built_is_one_sentence(tensorrt: ModuleType) -> None:
    graph = graphs_of("fp32").hot.SerializeToString()
    with pytest.raises(PlanNotBuilt, match="could not build the plan"):
        build_plan(graph, (9, 9), largest=4)


def test_without_a_gpu_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_gpu(logger: object) -> None:
        raise TypeError("factory function returned nullptr")

    module = ModuleType("tensorrt")
    logger = type("Logger", (), {"WARNING": 1, "__init__": lambda self, severity: None})
    module.__dict__.update(Builder=no_gpu, Logger=logger)
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    with pytest.raises(PlanNotBuilt, match="needs an NVIDIA GPU"):
        build_plan(b"", SMALL_SIZE, largest=4)


def test_a_tensorrt_of_former_years_is_refused(
    tensorrt: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorrt, "NetworkDefinitionCreationFlag", SimpleNamespace())
    with pytest.raises(PlanNotBuilt, match="install TensorRT 10 or newer"):
        build_plan(b"", SMALL_SIZE, largest=4)


def test_without_tensorrt_it_is_said_where_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(PlanNotBuilt, match="pip install tensorrt"):
        build_plan(b"", SMALL_SIZE, largest=16)


def test_plans_take_the_graphs_places(tmp_path: Path, tensorrt: ModuleType) -> None:
    staged = publish_tiny(tmp_path, engine="tensorrt", precision="fp16")
    manifest = compile_staged(tmp_path, staged)
    for name, graph in manifest.graphs.items():
        folder = tmp_path / name / "1"
        assert {path.name for path in folder.iterdir()} == {"model.plan", "manifest.json"}
        plan = (folder / "model.plan").read_bytes()
        assert (graph.file, graph.sha256) == ("model.plan", hashlib.sha256(plan).hexdigest())
        assert graph.outputs == staged.graphs[name].outputs
    largest = [
        profile.get_shape("image")[2][0] for each in tensorrt.builders for profile in each.profiles
    ]
    assert largest == [1, 8, 32, 1, 4]


def test_an_export_without_tensorrt_ends_before_it_begins(
    tmp_path: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(PlanNotBuilt):
        export_run(ExportRequest(run_folder, "tiny", tmp_path / "repository", engine="tensorrt"))
    assert not (tmp_path / "repository").exists()


def test_an_export_publishes_plans(
    tmp_path: Path, run_folder: Path, tensorrt: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    drawn = draw_folder(tmp_path / "drawn", {"test": 2})
    repository, said = tmp_path / "repository", list[str]()
    manifest = export_run(
        ExportRequest(run_folder, "tiny", repository, engine="tensorrt", data=drawn), said.append
    )
    assert list(manifest.metrics) == ["test, before the plan was built"]
    assert any("plans" in each and "they are not measured" in each for each in said)
    assert read_manifests(repository) == [manifest]
    for graph in manifest.graphs:
        files = {path.name for path in (repository / graph / "1").iterdir()}
        assert {"model.plan", "manifest.json"} <= files
        assert "model.onnx" not in files
        config = read_graph_config(repository, graph)
        assert config.platform == "tensorrt_plan"
        profiles = tensorrt_profiles(config.max_batch_size)
        assert list(config.instance_group[0].profile) == [str(i) for i in range(len(profiles))]
    assert [found.faults for found in verify(repository)] == [(), ()]


def run(model: onnx.ModelProto) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    values: list[np.ndarray] = session.run(None, {"image": PICTURES})
    return values
