from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository.directory import (
    graph_path,
    model_names,
    published_versions,
    read_graph,
    read_manifests,
)
from tests.serving.forbidden_folder import forbid
from tests.serving.tiny_repository import publish_tiny


def test_versions_are_counted_not_spelled(tmp_path: Path) -> None:
    for version in ("2", "10", "9"):
        publish_tiny(tmp_path, version=version)
    assert published_versions(tmp_path, "tiny") == ["2", "9", "10"]
    assert [manifest.version for manifest in read_manifests(tmp_path)] == ["2", "9", "10"]


def test_explain_graphs_are_no_models_of_their_own(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    assert [manifest.name for manifest in read_manifests(tmp_path)] == ["tiny"]


def test_a_name_that_is_no_text_is_no_models(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    shutil.copytree(tmp_path / "tiny", tmp_path / os.fsdecode(b"tiny\xff"))
    assert model_names(tmp_path) == ["tiny"]


def test_what_is_being_written_is_no_version(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    (tmp_path / "tiny" / ".2.part").mkdir()
    (tmp_path / "tiny" / "3").mkdir()
    assert published_versions(tmp_path, "tiny") == ["1"]


@pytest.mark.parametrize("name", ["9" * 20, "\N{FULLWIDTH DIGIT TWO}", "1.5", "-1", "0", "01"])
def test_what_triton_cannot_count_is_no_version(tmp_path: Path, name: str) -> None:
    publish_tiny(tmp_path)
    shutil.copytree(tmp_path / "tiny" / "1", tmp_path / "tiny" / name)
    assert published_versions(tmp_path, "tiny") == ["1"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RepositoryInvalid, match=r"no model repository at .*nowhere"):
        read_manifests(tmp_path / "nowhere")


def test_an_empty_folder_says_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(RepositoryInvalid, match="pawsight export"):
        read_manifests(tmp_path)


@pytest.mark.parametrize("text", ["", "{", '{"name": "tiny"}', "[]"])
def test_a_broken_manifest_is_named(tmp_path: Path, text: str) -> None:
    publish_tiny(tmp_path)
    (tmp_path / "tiny" / "1" / "manifest.json").write_text(text)
    with pytest.raises(RepositoryInvalid, match="manifest of tiny version 1 cannot be read"):
        read_manifests(tmp_path)


def test_a_renamed_folder_is_refused(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    (tmp_path / "tiny" / "1").rename(tmp_path / "tiny" / "4")
    with pytest.raises(RepositoryInvalid, match="must not be renamed"):
        read_manifests(tmp_path)


def test_a_graph_that_was_changed_is_refused(tmp_path: Path) -> None:
    manifest = publish_tiny(tmp_path)
    read_graph(tmp_path, manifest, "tiny")
    path = graph_path(tmp_path, manifest, "tiny")
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(RepositoryInvalid, match="digest differs"):
        read_graph(tmp_path, manifest, "tiny")


def test_a_missing_graph_is_named(tmp_path: Path) -> None:
    manifest = publish_tiny(tmp_path)
    graph_path(tmp_path, manifest, "tiny_explain").unlink()
    with pytest.raises(RepositoryInvalid, match="tiny_explain version 1 is missing"):
        read_graph(tmp_path, manifest, "tiny_explain")


def test_a_folder_that_may_not_be_looked_into_is_left_out_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    publish_tiny(tmp_path)
    (tmp_path / "lost+found").mkdir()
    forbid(tmp_path / "lost+found", monkeypatch)
    assert [manifest.name for manifest in read_manifests(tmp_path)] == ["tiny"]
    assert [record.getMessage() for record in caplog.records] == [
        "This process may not look into the folder lost+found of the model repository; "
        "where it is a model's, check who may read it."
    ]


def test_a_repository_that_may_not_be_looked_into_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    forbid(tmp_path / "models", monkeypatch)
    with pytest.raises(RepositoryInvalid, match="models cannot be read; check who may"):
        read_manifests(tmp_path / "models")


@pytest.mark.parametrize("method", ["iterdir", "is_file"])
def test_a_models_folder_that_cannot_be_read_is_told_in_our_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    publish_tiny(tmp_path)

    def fail(_path: Path) -> NoReturn:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(Path, method, fail)
    with pytest.raises(RepositoryInvalid, match="tiny cannot be read"):
        published_versions(tmp_path, "tiny")
