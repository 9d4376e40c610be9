"""A whole export, checked from the published files alone."""

from __future__ import annotations

import errno
import shutil
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from pawsight_export import exporting
from pawsight_export.checks.checking import check_pictures
from pawsight_export.errors import (
    NameInvalid,
    ParityFailed,
    PrecisionInsufficient,
    PublicationFailed,
    TemporaryFilesUnwritable,
)
from pawsight_export.exporting import export_run
from pawsight_export.graphs import precisions
from pawsight_export.graphs.graphs import ExplainGraph, HotGraph
from pawsight_export.graphs.onnx_graph import to_onnx
from pawsight_export.graphs.precisions import Graphs, build_graphs
from pawsight_export.publishing.publication import publish
from pawsight_export.request import ExportRequest
from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository import directory, served
from pawsight_serving.repository.directory import graph_path, read_graph, read_manifests
from pawsight_serving.repository.filters import read_filters
from pawsight_serving.repository.served import served_versions
from pawsight_serving.repository.triton_config import (
    configured_manifests,
    model_config,
    read_config,
)
from pawsight_serving.triton_server.view import MODEL_SOURCE
from tests.drawn_pictures import draw
from tests.export.conftest import SIZE, random_net

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from pawsight_export.graphs.precisions import Precision
    from pawsight_serving.repository.manifest import Manifest
    from pawsight_training.data.dataset import Split


@pytest.fixture(scope="module")
def published(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    repository = tmp_path_factory.mktemp("repository")
    return repository, export_run(ExportRequest(run_folder, "pets", repository))


def test_the_repository_holds_what_was_returned(published: tuple[Path, Manifest]) -> None:
    repository, manifest = published
    assert read_manifests(repository) == [manifest]
    for graph in manifest.graphs:
        read_graph(repository, manifest, graph)


@pytest.mark.parametrize("graph", ["pets", "pets_explain"])
def test_the_graphs_take_any_batch_of_uint8(published: tuple[Path, Manifest], graph: str) -> None:
    repository, manifest = published
    session = onnxruntime.InferenceSession(graph_path(repository, manifest, graph))
    assert [(i.name, i.type, i.shape) for i in session.get_inputs()] == [
        ("image", "tensor(uint8)", ["batch", *SIZE, 3])
    ]
    for batch in (1, 2, 5):
        values = session.run(None, {"image": np.zeros((batch, *SIZE, 3), np.uint8)})
        shapes = {o.name: v.shape for o, v in zip(session.get_outputs(), values, strict=True)}
        assert shapes == {
            name: (batch, *shape) for name, shape in manifest.graphs[graph].outputs.items()
        }


def test_layers_are_named_as_keras_names_them(published: tuple[Path, Manifest]) -> None:
    _, manifest = published
    assert [layer.name for layer in manifest.layers] == [
        f"{kind}{number}" for number in range(1, 5) for kind in ("conv", "pool")
    ]
    assert (manifest.layers[0].channels, manifest.layers[0].height) == (32, SIZE[0] - 2)


def test_parity_stands_in_the_manifest(published: tuple[Path, Manifest]) -> None:
    _, manifest = published
    for check in ("probabilities", "grad-cam", "explain grad-cam", "activations"):
        assert 0 <= manifest.parity[check] <= 1e-4


@pytest.mark.parametrize("graph", ["pets", "pets_explain"])
def test_triton_can_read_the_configuration(published: tuple[Path, Manifest], graph: str) -> None:
    repository, manifest = published
    config = read_config((repository / graph / "config.pbtxt").read_text(), graph)
    assert config == model_config([manifest], graph)
    model = onnx.load(graph_path(repository, manifest, graph))
    assert [output.name for output in config.output] == [o.name for o in model.graph.output]
    assert (repository / graph / "labels.txt").read_text() == "cat\ndog\n"


@pytest.mark.parametrize("late", [False, True])
def test_ctrl_c_while_it_is_published_says_where_it_came_too_late(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    def interrupted(*arguments: Any, **options: Any) -> None:
        if late:
            publish(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "publish", interrupted)
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        export_run(ExportRequest(run_folder, "pets", tmp_path), said.append)
    assert said[-1].startswith("stopped too late: pets version 1 is published") == late


def test_for_the_python_backend_each_version_brings_its_model_py(
    run_folder: Path, tmp_path: Path
) -> None:
    manifests = [
        export_run(ExportRequest(run_folder, "pets", tmp_path, engine="python")) for _ in range(2)
    ]
    assert read_manifests(tmp_path) == manifests
    for graph in ("pets", "pets_explain"):
        config = read_config((tmp_path / graph / "config.pbtxt").read_text(), graph)
        assert config.backend == "python"
        for version in ("1", "2"):
            model = tmp_path / graph / version / "model.py"
            assert model.read_bytes() == MODEL_SOURCE.read_bytes()
    config = read_config((tmp_path / "pets" / "config.pbtxt").read_text(), "pets")
    assert configured_manifests(config) == manifests


@pytest.mark.parametrize("name", ["", "bad name", "../evil", ".hidden", "mine_explain", "käse"])
def test_a_name_that_none_can_have_is_refused_before_any_work(name: str, tmp_path: Path) -> None:
    with pytest.raises(NameInvalid, match="--name"):
        export_run(ExportRequest(tmp_path / "no-run", name, tmp_path))


def test_a_repository_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PublicationFailed, match="--repository"):
        export_run(ExportRequest(tmp_path / "no-run", "pets", tmp_path / "file"))


def test_a_folder_for_temporary_files_that_is_not_there_is_one_sentence(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nothing"))
    with pytest.raises(TemporaryFilesUnwritable, match=r"\(No such file.*in the variable TMPDIR"):
        export_run(ExportRequest(run_folder, "pets", tmp_path / "repository"))
    assert not (tmp_path / "repository").exists()


def test_versions_for_two_engines_are_not_mixed(
    published: tuple[Path, Manifest], run_folder: Path
) -> None:
    repository, manifest = published
    with pytest.raises(PublicationFailed, match="--engine onnxruntime"):
        export_run(ExportRequest(run_folder, "pets", repository, engine="python"))
    assert read_manifests(repository) == [manifest]


def test_where_files_are_broken_to_export_again_mends_them(
    published: tuple[Path, Manifest], run_folder: Path, tmp_path: Path
) -> None:
    repository = shutil.copytree(published[0], tmp_path / "repository")
    (repository / "pets" / "1" / "manifest.json").write_text("{")
    (repository / "pets" / "config.pbtxt").unlink()
    said: list[str] = []
    manifest = export_run(ExportRequest(run_folder, "pets", repository, keep=1), said.append)
    assert read_manifests(repository) == [manifest]
    assert not any("no longer served" in each for each in said)
    assert said[-1] == "removed what was rolled back or is beyond --keep: version 1"


@pytest.mark.parametrize(
    ("module", "file", "told"),
    [
        (directory, "pets/1/manifest.json", "manifest of pets version 1 cannot be read"),
        (served, "pets/config.pbtxt", "configuration of pets cannot be read"),
        (served, "pets_explain/config.pbtxt", "configuration of pets_explain cannot be read"),
    ],
)
def test_a_file_that_a_disk_does_not_give_is_told_before_the_work(
    published: tuple[Path, Manifest],
    run_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    file: str,
    told: str,
) -> None:
    def read(path: Path) -> bytes:
        if path == published[0] / file:
            raise OSError(errno.EIO, "Input/output error")
        return path.read_bytes()

    monkeypatch.setattr(module, "read_regular_file", read)
    monkeypatch.delattr(exporting, "build_graphs")
    with pytest.raises(RepositoryInvalid, match=told):
        export_run(ExportRequest(run_folder, "pets", published[0]))


def test_the_same_run_gives_the_same_graphs(
    published: tuple[Path, Manifest],
    run_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, manifest = published
    # Not those that were exported before.
    monkeypatch.setattr(precisions, "to_onnx", to_onnx)
    assert export_run(ExportRequest(run_folder, "pets", tmp_path)).graphs == manifest.graphs


class WrongHotGraph(HotGraph):
    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        probabilities, maps = super().forward(image)
        return probabilities, maps * 1.01


class WrongExplainGraph(ExplainGraph):
    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        outputs = super().forward(image)
        wrong = self.output_names.index("gradcam:conv2")
        return *outputs[:wrong], outputs[wrong].flip(1), *outputs[wrong + 1 :]


@pytest.mark.parametrize("wrong", [WrongHotGraph, WrongExplainGraph])
def test_a_graph_that_deviates_is_not_published(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: type
) -> None:
    monkeypatch.setattr(precisions, wrong.__name__.removeprefix("Wrong"), wrong)
    with pytest.raises(ParityFailed, match="Nothing was published"):
        export_run(ExportRequest(run_folder, "pets", tmp_path / "repository"))
    assert not (tmp_path / "repository").exists()


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_below_float32_the_manifest_says_how_far_it_agrees(
    run_folder: Path, drawn: Path, tmp_path: Path, precision: Precision
) -> None:
    repository = tmp_path / "repository"
    manifest = export_run(
        ExportRequest(
            run_folder,
            "pets",
            repository,
            precision=precision,
            data=drawn,
            # Maps of random weights have outliers that are no evidence of anything.
            calibration_method="percentile",
        )
    )
    assert read_manifests(repository) == [manifest]
    assert manifest.precision == precision
    assert manifest.agreement["pictures"] == 8
    assert manifest.agreement["grad-cam correlation"] > 0.95
    assert manifest.parity["explain grad-cam, flat pictures"] <= 1e-4
    if precision == "int8":
        assert manifest.calibration is not None
        assert manifest.calibration["pictures"] == 16
        assert manifest.calibration["split"] == "train"


def test_what_is_no_longer_served_beside_it_is_said(
    published: tuple[Path, Manifest],
    run_folder: Path,
    drawn: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repository = tmp_path / "repository"
    shutil.copytree(published[0], repository)
    monkeypatch.setattr(exporting, "check_staged", lambda _, manifest, *others: manifest)
    said: list[str] = []
    export_run(
        ExportRequest(run_folder, "pets", repository, precision="fp16", data=drawn), said.append
    )
    assert "version 1 is no longer served" in said[-1]
    assert f"rollback pets --to 1 --repository {repository}" in said[-1]
    assert not any(each.startswith("removed") for each in said)
    assert [each.version for each in read_manifests(repository)] == ["1", "2"]
    assert served_versions(repository, "pets") == ["2"]


def test_a_graph_that_lost_too_much_is_not_published(
    run_folder: Path, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def upside_down(*arguments: Any) -> Graphs:
        built = build_graphs(*arguments)
        return replace(built, hot=to_onnx(other, other.output_names, SIZE))

    other = HotGraph(random_net(seed=8), SIZE)

    monkeypatch.setattr(exporting, "build_graphs", upside_down)
    repository = tmp_path / "repository"
    with pytest.raises(PrecisionInsufficient, match=r"Nothing was published") as failed:
        export_run(
            ExportRequest(run_folder, "pets", repository, precision="fp16", data=drawn, keep=2)
        )
    assert not repository.exists()
    repeat = str(failed.value).partition("pawsight export ")[2]
    for words in (f"--repository {repository} ", "--precision fp16", f"--data {drawn}", "--keep 2"):
        assert words in repeat


def test_filters_are_published_with_the_model(run_folder: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "filters"
    drawn.mkdir()
    draw("disc", 0).save(drawn / "conv2.png")
    repository = tmp_path / "repository"
    manifest = export_run(ExportRequest(run_folder, "pets", repository, filters=drawn))
    assert list(manifest.filters) == ["conv2"]
    assert read_filters(repository, manifest, "conv2") == (drawn / "conv2.png").read_bytes()


def test_filters_of_another_net_are_refused_before_the_work(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(exporting, "build_graphs")
    with pytest.raises(PublicationFailed, match=r"holds no LAYER\.png of the layers conv1"):
        export_run(ExportRequest(run_folder, "pets", tmp_path / "repository", filters=tmp_path))


def test_the_net_of_the_run_is_what_was_exported(published: tuple[Path, Manifest]) -> None:
    repository, manifest = published
    session = onnxruntime.InferenceSession(graph_path(repository, manifest, "pets"))
    pictures = check_pictures(SIZE)
    with torch.no_grad():
        dog = random_net()(torch.from_numpy(pictures).permute(0, 3, 1, 2)).sigmoid().numpy()
    probabilities = session.run(["probabilities"], {"image": pictures})[0]
    np.testing.assert_allclose(probabilities[:, 1:], dog, atol=1e-5)


def test_test_pictures_alone_are_looked_at(
    run_folder: Path, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[Split | None] = []

    def check(_: Path, manifest: Manifest, *others: Any) -> Manifest:
        measured.append(others[2])
        return manifest

    monkeypatch.setattr(exporting, "check_staged", check)
    for split in ("train", "validation"):
        shutil.rmtree(drawn / split)
    (drawn / "test" / "cats" / "torn.jpg").write_bytes(b"torn")
    said: list[str] = []
    export_run(ExportRequest(run_folder, "pets", tmp_path / "repository", data=drawn), said.append)
    (test,) = measured
    assert test is not None
    assert len(test) == 8
    assert [each for each in said if each.startswith("skipped drawn/test/cats/torn.jpg: ")]
