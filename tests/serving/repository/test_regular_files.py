from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository.directory import read_graph, read_manifest
from pawsight_serving.repository.regular_files import read_regular_file
from pawsight_serving.repository.served import read_graph_config
from tests.serving.tiny_repository import publish_tiny


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"all of it")
    (tmp_path / "link").symlink_to("file")
    assert read_regular_file(tmp_path / "link") == b"all of it"


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, make: object) -> None:
    assert callable(make)
    make(tmp_path / "other")
    with pytest.raises(FileNotFoundError) as raised:
        read_regular_file(tmp_path / "other")
    assert raised.value.strerror == "No regular file"


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    def next_descriptor() -> int:
        with (tmp_path / "file").open() as file:
            return file.fileno()

    free = next_descriptor()
    read_regular_file(tmp_path / "file")
    with pytest.raises(FileNotFoundError):
        read_regular_file(tmp_path)
    assert next_descriptor() == free


def test_a_pipe_in_a_files_place_holds_up_no_reader_of_a_repository(tmp_path: Path) -> None:
    manifest = publish_tiny(tmp_path)
    for file in ("config.pbtxt", "1/manifest.json", "1/model.onnx"):
        (tmp_path / "tiny" / file).unlink()
        os.mkfifo(tmp_path / "tiny" / file)
    with pytest.raises(RepositoryInvalid, match="no configuration"):
        read_graph_config(tmp_path, "tiny")
    with pytest.raises(RepositoryInvalid, match="cannot be read"):
        read_manifest(tmp_path, "tiny", "1")
    with pytest.raises(RepositoryInvalid, match="is missing"):
        read_graph(tmp_path, manifest, "tiny")


def test_a_file_that_is_not_given_is_said_to_be_no_exports_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path, flags: int) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    manifest = publish_tiny(tmp_path)
    monkeypatch.setattr(os, "open", denied)
    for read in (
        lambda: read_graph_config(tmp_path, "tiny"),
        lambda: read_manifest(tmp_path, "tiny", "1"),
        lambda: read_graph(tmp_path, manifest, "tiny"),
    ):
        with pytest.raises(RepositoryInvalid, match=r"cannot be read \(Permission denied\); mend"):
            read()
