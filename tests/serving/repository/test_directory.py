from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository.directory import (
    graph_path,
    published_versions,
    read_graph,
    read_manifests,
)
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path


def test_versions_are_counted_not_spelled(tmp_path: Path) -> None:
    for version in ("2", "10", "9"):
        publish_tiny(tmp_path, version=version)
    assert published_versions(tmp_path, "tiny") == ["2", "9", "10"]
    assert [manifest.version for manifest in read_manifests(tmp_path)] == ["2", "9", "10"]


def test_explain_graphs_are_no_models_of_their_own(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    assert [manifest.name for manifest in read_manifests(tmp_path)] == ["tiny"]


def test_what_is_being_written_is_no_version(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    (tmp_path / "tiny" / ".2.part").mkdir()
    (tmp_path / "tiny" / "3").mkdir()
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
