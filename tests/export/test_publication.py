from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pawsight_export.errors import PublicationFailed
from pawsight_export.publication import next_version, publish
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path


def stage(folder: Path, version: str) -> Path:
    publish_tiny(folder, version=version)
    for graph in ("tiny", "tiny_explain"):
        (folder / graph / "config.pbtxt").write_text(f"# {version}\n")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_versions_count_on(tmp_path: Path) -> None:
    assert next_version(tmp_path, "tiny") == "1"
    publish_tiny(tmp_path, version="9")
    assert next_version(tmp_path, "tiny") == "10"
    assert next_version(tmp_path, "tin") == "1"


def test_what_is_published_is_what_was_staged(tmp_path: Path) -> None:
    staged = stage(tmp_path / "staged", "1")
    publish(staged, tmp_path / "repository", "tiny", "1")
    assert files(tmp_path / "repository") == files(staged)


def test_a_second_version_leaves_the_first_alone(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    publish(stage(tmp_path / "one", "1"), repository, "tiny", "1")
    before = {name: data for name, data in files(repository).items() if "/1/" in name}
    publish(stage(tmp_path / "two", "2"), repository, "tiny", "2")
    after = files(repository)
    assert before.items() <= after.items()
    assert after["tiny/config.pbtxt"] == b"# 2\n"


def test_a_version_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    publish(stage(tmp_path / "one", "1"), repository, "tiny", "1")
    before = files(repository)
    with pytest.raises(PublicationFailed, match="Version 1 of tiny could not be published"):
        publish(tmp_path / "one", repository, "tiny", "1")
    assert files(repository) == before


def test_a_repository_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "repository"
    blocked.write_text("a file where a folder should be")
    with pytest.raises(PublicationFailed, match="repository"):
        publish(stage(tmp_path / "staged", "1"), blocked, "tiny", "1")
    assert blocked.is_file()
