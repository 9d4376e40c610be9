from __future__ import annotations

import errno
import hashlib
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import ModelNotFound, RepositoryInvalid, VersionNotFound
from pawsight_serving.repository import adding_filters
from pawsight_serving.repository.adding_filters import add_filters
from pawsight_serving.repository.directory import read_manifest
from pawsight_serving.repository.filters import read_filters
from pawsight_serving.repository.served import read_graph_config
from pawsight_serving.repository.triton_config import configured_manifests
from pawsight_serving.repository.verification import verify
from pawsight_serving.repository.writing import replace_file
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path

GRID = b"\x89PNG\r\n\x1a\n" + b"a grid"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    publish_tiny(root, version="1")
    publish_tiny(root, version="2")
    return root


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    folder = tmp_path / "filters"
    folder.mkdir()
    (folder / "conv1.png").write_bytes(GRID)
    (folder / "notes.txt").write_text("left out")
    return folder


def faults(root: Path) -> list[str]:
    return [fault for found in verify(root) for fault in found.faults]


@pytest.mark.parametrize("version", ["", "1"])
def test_a_version_has_them_and_is_whole(root: Path, drawn: Path, version: str) -> None:
    graphs = {path: path.read_bytes() for path in root.rglob("*.onnx")}
    assert add_filters(root, "tiny", drawn, version) == (version or "2", ["conv1"])
    manifest = read_manifest(root, "tiny", version or "2")
    assert manifest.filters == {"conv1": hashlib.sha256(GRID).hexdigest()}
    assert read_filters(root, manifest, "conv1") == GRID
    assert manifest in configured_manifests(read_graph_config(root, "tiny"))
    assert {path: path.read_bytes() for path in root.rglob("*.onnx")} == graphs
    assert faults(root) == []


def test_given_again_it_finishes_what_was_interrupted(root: Path, drawn: Path) -> None:
    hot = root / "tiny" / "2" / "manifest.json"
    before = hot.read_bytes()
    add_filters(root, "tiny", drawn)
    hot.write_bytes(before)
    assert "the manifests of its two graphs differ" in faults(root)
    add_filters(root, "tiny", drawn)
    assert faults(root) == []


def test_what_was_published_stays(root: Path, drawn: Path) -> None:
    add_filters(root, "tiny", drawn)
    (drawn / "conv1.png").write_bytes(GRID + b" drawn again")
    with pytest.raises(RepositoryInvalid, match="another picture of conv1"):
        add_filters(root, "tiny", drawn)
    assert read_filters(root, read_manifest(root, "tiny", "2"), "conv1") == GRID
    assert faults(root) == []


def test_what_cannot_be_added_changes_nothing(root: Path, drawn: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with pytest.raises(ModelNotFound):
        add_filters(root, "tony", drawn)
    with pytest.raises(VersionNotFound):
        add_filters(root, "tiny", drawn, "9")
    with pytest.raises(RepositoryInvalid, match=r"no LAYER\.png"):
        add_filters(root, "tiny", tmp_path)
    (drawn / "conv1.png").write_bytes(b"text")
    with pytest.raises(RepositoryInvalid, match="not a PNG"):
        add_filters(root, "tiny", drawn)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("written", range(4))
def test_what_fails_half_way_changes_nothing(
    root: Path, drawn: Path, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [written]

    def replace(path: Path, data: bytes) -> None:
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        left[0] -= 1
        replace_file(path, data)

    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    monkeypatch.setattr(adding_filters, "replace_file", replace)
    with pytest.raises(
        RepositoryInvalid, match=r"could not be written .*No space left on device; mend that"
    ):
        add_filters(root, "tiny", drawn)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    monkeypatch.undo()
    add_filters(root, "tiny", drawn)
    assert faults(root) == []
