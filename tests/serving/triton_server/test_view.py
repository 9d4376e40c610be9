from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pawsight_serving.errors import FolderUnreadable, RepositoryInvalid
from pawsight_serving.repository.directory import read_manifest
from pawsight_serving.repository.triton_config import read_config, write_config
from pawsight_serving.triton_server.view import MODEL_SOURCE, RepositoryView
from tests.serving.forbidden_folder import forbid
from tests.serving.tiny_repository import publish_tiny

Files = dict[str, bytes]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    publish_tiny(root, version="1")
    return root


@pytest.fixture
def view(tmp_path: Path, repository: Path) -> RepositoryView:
    (tmp_path / "view").mkdir()
    return RepositoryView(repository, tmp_path / "view")


def files(folder: Path) -> Files:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_every_graph_runs_in_the_python_backend(repository: Path, view: RepositoryView) -> None:
    before = files(repository)
    assert view.refresh() == {"tiny": None}
    shown = files(view.models)
    assert set(shown) - set(before) == {
        f"{graph}/1/{file}"
        for graph in ("tiny", "tiny_explain")
        for file in ("model.py", "__pycache__")
    }
    assert shown["tiny/1/model.py"] == MODEL_SOURCE.read_bytes()
    for graph in ("tiny", "tiny_explain"):
        config = read_config(shown.pop(f"{graph}/config.pbtxt").decode(), graph)
        assert (config.platform, config.backend) == ("", "python")
    assert {name: data for name, data in shown.items() if name in before}.items() <= (
        before.items()
    )
    assert files(repository) == before


def test_the_model_py_of_a_version_goes_first(repository: Path, view: RepositoryView) -> None:
    (repository / "tiny" / "1" / "model.py").write_text("# its own")
    view.refresh()
    assert (view.models / "tiny" / "1" / "model.py").read_text() == "# its own"


def test_what_was_tuned_stays(repository: Path, view: RepositoryView) -> None:
    path = repository / "tiny" / "config.pbtxt"
    config = read_config(path.read_text(), "tiny")
    config.instance_group[0].count = 3
    path.write_text(write_config(config))
    view.refresh()
    shown = read_config((view.models / "tiny" / "config.pbtxt").read_text(), "tiny")
    assert shown.instance_group[0].count == 3


def test_the_configuration_is_the_views_own_also_of_an_export_for_the_python_backend(
    repository: Path, view: RepositoryView
) -> None:
    # Its published configuration is the one that is shown; what tuning tries must not reach it.
    publish_tiny(repository, version="2", engine="python")
    view.refresh()
    before = files(repository)
    for graph in ("tiny", "tiny_explain"):
        path = view.models / graph / "config.pbtxt"
        assert path.read_bytes() == before[f"{graph}/config.pbtxt"]
        path.write_text("tried")
    assert files(repository) == before


def test_it_follows_the_repository(repository: Path, view: RepositoryView) -> None:
    view.refresh()
    publish_tiny(repository, version="2")
    publish_tiny(repository, name="other")
    assert view.refresh() == {"other": None, "tiny": None}
    assert (view.models / "tiny" / "2" / "model.onnx").is_file()
    assert (view.models / "other_explain" / "1" / "model.py").is_file()
    for graph in ("tiny", "tiny_explain"):
        shutil.rmtree(repository / graph / "1")
    for graph in ("other", "other_explain"):
        shutil.rmtree(repository / graph)
    assert view.refresh() == {"tiny": None}
    assert {folder.name for folder in view.models.iterdir()} == {"tiny", "tiny_explain"}
    assert not (view.models / "tiny" / "1").exists()


def test_nothing_changes_where_nothing_changed(view: RepositoryView) -> None:
    view.refresh()
    times = {path: path.lstat().st_mtime_ns for path in view.models.rglob("*")}
    view.refresh()
    assert {path: path.lstat().st_mtime_ns for path in view.models.rglob("*")} == times


def test_a_broken_version_leaves_the_view_as_it_was(repository: Path, view: RepositoryView) -> None:
    view.refresh()
    before = files(view.models)
    publish_tiny(repository, version="2")
    (repository / "tiny_explain" / "2" / "model.onnx").write_bytes(b"garbage")
    assert "digest" in str(view.refresh()["tiny"])
    assert files(view.models) == before


def test_a_broken_model_holds_up_no_other(repository: Path, view: RepositoryView) -> None:
    publish_tiny(repository, name="broken")
    view.refresh()
    before = files(view.models / "broken")
    (repository / "broken" / "config.pbtxt").write_text("max_batch_size: many")
    publish_tiny(repository, version="2")
    publish_tiny(repository, name="other")
    found = view.refresh()
    assert list(found) == ["broken", "other", "tiny"]
    assert "configuration of broken" in str(found["broken"])
    assert found["tiny"] is found["other"] is None
    assert (view.models / "tiny" / "2" / "model.onnx").is_file()
    assert files(view.models / "broken") == before


def test_what_failed_half_way_is_done_the_next_time(
    view: RepositoryView, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(Path, "symlink_to", full)
        assert "No space left" in str(view.refresh()["tiny"])
    assert view.refresh() == {"tiny": None}
    assert (view.models / "tiny" / "1" / "model.onnx").is_file()


def test_an_empty_repository_leaves_the_view_as_it_was(
    repository: Path, view: RepositoryView
) -> None:
    view.refresh()
    for graph in ("tiny", "tiny_explain"):
        shutil.rmtree(repository / graph)
    with pytest.raises(RepositoryInvalid, match="no published model"):
        view.refresh()
    assert {folder.name for folder in view.models.iterdir()} == {"tiny", "tiny_explain"}


def test_a_graph_that_is_no_onnx_file_is_refused(repository: Path, view: RepositoryView) -> None:
    manifest = read_manifest(repository, "tiny", "1")
    plan = manifest.graphs["tiny"].model_copy(update={"file": "model.plan"})
    compiled = manifest.model_copy(
        update={"engine": "tensorrt", "graphs": {**manifest.graphs, "tiny": plan}}
    )
    (repository / "tiny" / "1" / "manifest.json").write_text(compiled.model_dump_json())
    assert "exported for tensorrt" in str(view.refresh()["tiny"])


def test_a_graph_without_configuration_is_refused(repository: Path, view: RepositoryView) -> None:
    (repository / "tiny" / "config.pbtxt").unlink()
    assert "tiny has no configuration" in str(view.refresh()["tiny"])


def test_a_folder_that_may_not_be_looked_into_is_told_of_and_no_model(
    repository: Path, view: RepositoryView, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "lost+found").mkdir()
    forbid(repository / "lost+found", monkeypatch)
    found = view.refresh()
    assert found.pop("tiny") is None
    assert isinstance(found.pop("lost+found"), FolderUnreadable)
    assert not found
    shutil.rmtree(repository / "tiny")
    with pytest.raises(RepositoryInvalid, match="no published model"):
        view.refresh()
