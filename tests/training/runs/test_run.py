from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from pawsight_training.architectures import build
from pawsight_training.errors import RunInvalid
from pawsight_training.runs.run import (
    MANIFEST,
    WEIGHTS,
    is_finished,
    load_run,
    write_manifest,
    write_weights,
)

if TYPE_CHECKING:
    from pawsight_training.runs.run import Run


@pytest.fixture
def copy(finished_run: Run, tmp_path: Path) -> Path:
    return shutil.copytree(finished_run.path, tmp_path / "copy")


def test_a_run_is_read_as_it_was_written(finished_run: Run, copy: Path) -> None:
    run = load_run(copy)
    assert run.manifest == finished_run.manifest
    net = run.model()
    assert not net.training
    assert net.normalise.std.flatten().tolist() == [255.0] * 3
    pictures = torch.randint(0, 256, (2, 3, 46, 46), dtype=torch.uint8)
    assert torch.equal(net(pictures), finished_run.model()(pictures))


def test_a_manifest_names_no_path(finished_run: Run) -> None:
    text = (finished_run.path / MANIFEST).read_text()
    assert str(finished_run.path.parent) not in text
    assert finished_run.manifest.data.sources == ("drawn",)
    assert finished_run.manifest.data.counts["train"] == {"cat": 20, "dog": 20}
    assert finished_run.manifest.recipe.epochs == 6
    assert finished_run.manifest.preprocessing.std == (255.0, 255.0, 255.0)


def test_without_a_manifest_it_is_unfinished(copy: Path) -> None:
    (copy / MANIFEST).unlink()
    assert not is_finished(copy)
    with pytest.raises(RunInvalid, match="is unfinished; go on with --resume"):
        load_run(copy)


@pytest.mark.parametrize("file", [MANIFEST, WEIGHTS])
def test_a_file_that_is_not_given_is_not_taken_for_lost(
    copy: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    read = Path.read_bytes

    def denied(path: Path) -> bytes:
        if path.name == file:
            raise PermissionError(errno.EACCES, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(RunInvalid, match=r"cannot be read \(Permission denied\); mend that"):
        load_run(copy).model()


def test_the_weights_are_on_the_disk_before_the_manifest_is(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = load_run(copy)
    for file in (WEIGHTS, MANIFEST):
        (copy / file).unlink()
    flushed: set[int] = set()
    really_flush, really_replace = os.fsync, Path.replace

    def flush(descriptor: int) -> None:
        really_flush(descriptor)
        flushed.add(os.fstat(descriptor).st_ino)

    def replace(path: Path, target: Path) -> Path:
        assert path.stat().st_ino in flushed, f"{target} may be lost in a crash"
        return really_replace(path, target)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(Path, "replace", replace)
    write_weights(copy, build("scratch", 2, (46, 46)))
    assert copy.stat().st_ino in flushed
    write_manifest(copy, run.manifest)
    assert load_run(copy).manifest == run.manifest


def test_a_folder_that_is_no_run_is_missing(tmp_path: Path) -> None:
    with pytest.raises(RunInvalid, match=r"There is no run in .*pawsight train"):
        load_run(tmp_path)


def test_a_damaged_manifest_is_refused(copy: Path) -> None:
    whole = json.loads((copy / MANIFEST).read_text())
    for text in (b"{", b"{}", b"\xff{}", json.dumps(whole | {"seed": "many"}).encode()):
        (copy / MANIFEST).write_bytes(text)
        with pytest.raises(RunInvalid, match="cannot be read; train it again"):
            load_run(copy)


def test_weights_of_another_run_are_refused(copy: Path, vgg_run: Run) -> None:
    data = (copy / WEIGHTS).read_bytes()
    for other in (data[:-1], b"", (vgg_run.path / WEIGHTS).read_bytes()):
        (copy / WEIGHTS).write_bytes(other)
        with pytest.raises(RunInvalid, match="are not those of its manifest"):
            load_run(copy).model()
    (copy / WEIGHTS).unlink()
    with pytest.raises(RunInvalid, match="are not those of its manifest"):
        load_run(copy).model()


def test_weights_of_another_net_than_the_manifest_says_are_refused(copy: Path) -> None:
    whole = json.loads((copy / MANIFEST).read_text())
    for other in (
        {"architecture": "vgg16"},
        {"input_size": [80, 80]},
        {"classes": ["cat", "dog", "bird"]},
    ):
        (copy / MANIFEST).write_text(json.dumps(whole | other))
        with pytest.raises(RunInvalid, match="do not fit the architecture, the classes and"):
            load_run(copy).model()


def test_the_same_weights_make_the_same_file(finished_run: Run, tmp_path: Path) -> None:
    assert write_weights(tmp_path, finished_run.model()) == finished_run.manifest.weights_sha256
    assert [path.name for path in tmp_path.iterdir()] == [WEIGHTS]
