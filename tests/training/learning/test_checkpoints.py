from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from pawsight_training.errors import RunInvalid
from pawsight_training.learning.checkpoints import (
    CheckpointFiles,
    checkpoint_to_resume,
    checkpointing,
    read_best,
)
from pawsight_training.runs.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pawsight_training.data.dataset import Dataset
    from pawsight_training.learning.job import Job
    from pawsight_training.runs.run import Run

OPTIONS: dict[str, Any] = {"epochs": 6, "learning_rate": 1e-3}


@pytest.fixture
def unfinished(finished_run: Run, tmp_path: Path) -> Path:
    folder = shutil.copytree(finished_run.path, tmp_path / "run")
    (folder / "manifest.json").unlink()
    return folder


@pytest.fixture
def job(data: Dataset, make_job: Callable[..., Job]) -> Job:
    return make_job("scratch", data, **OPTIONS)


def test_a_new_folder_starts_from_the_beginning(job: Job, tmp_path: Path) -> None:
    for resume in (False, True):
        assert checkpoint_to_resume(tmp_path / "new", job, resume=resume, first=True) is None


def test_the_same_job_goes_on_from_the_last_epoch(job: Job, unfinished: Path) -> None:
    last = checkpoint_to_resume(unfinished, job, resume=True, first=True)
    assert last == unfinished / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=True)["epoch"] == 5


def test_the_best_epoch_is_the_manifests(finished_run: Run) -> None:
    assert read_best(finished_run.path)["epoch"] + 1 == finished_run.manifest.best_epoch


def test_another_job_does_not_go_on(
    data: Dataset, make_job: Callable[..., Job], job: Job, unfinished: Path
) -> None:
    fewer = replace(data, splits=data.splits | {"train": data.splits["test"]})
    for other, name in (
        (make_job("scratch", data, **(OPTIONS | {"learning_rate": 2e-3})), "learning_rate"),
        (make_job("scratch", data, seed=1, **OPTIONS), "seed"),
        (make_job("scratch", fewer, **OPTIONS), "data"),
        (replace(job, machine=replace(job.machine, precision="bf16")), "precision"),
        (replace(job, machine=replace(job.machine, devices=2)), "processes"),
        (replace(job, machine=replace(job.machine, nodes=2)), "processes"),
        (replace(job, weights=Weights("imagenet", "0" * 64, {})), "weights"),
    ):
        with pytest.raises(RunInvalid, match=f"begun with another {name}; resume with the same"):
            checkpoint_to_resume(unfinished, other, resume=True, first=True)


def test_what_an_older_version_did_not_know_is_no_difference(job: Job, unfinished: Path) -> None:
    last = unfinished / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(last, weights_only=True)
    del checkpoint["settings"]["weights"], checkpoint["settings"]["recipe"]["smaller_until"]
    torch.save(checkpoint, last)
    assert checkpoint_to_resume(unfinished, job, resume=True, first=True) == last


def test_a_folder_in_use_is_left_alone(job: Job, unfinished: Path, finished_run: Run) -> None:
    with pytest.raises(RunInvalid, match="is not empty; go on with --resume"):
        checkpoint_to_resume(unfinished, job, resume=False, first=True)
    assert checkpoint_to_resume(unfinished, job, resume=False, first=False) is None
    for resume in (False, True):
        with pytest.raises(RunInvalid, match="already holds a finished run"):
            checkpoint_to_resume(finished_run.path, job, resume=resume, first=True)


def test_a_damaged_checkpoint_is_one_sentence(job: Job, unfinished: Path) -> None:
    for name in ("last", "best"):
        path = unfinished / "checkpoints" / f"{name}.ckpt"
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(RunInvalid, match=r"last\.ckpt is missing or damaged"):
        checkpoint_to_resume(unfinished, job, resume=True, first=True)
    with pytest.raises(RunInvalid, match=r"best\.ckpt is missing or damaged"):
        read_best(unfinished)


def test_a_checkpoint_that_would_run_a_program_is_damaged(job: Job, unfinished: Path) -> None:
    last = unfinished / "checkpoints" / "last.ckpt"
    torch.save(torch.load(last, weights_only=True) | {"program": unfinished}, last)
    with pytest.raises(RunInvalid, match=r"last\.ckpt is missing or damaged"):
        checkpoint_to_resume(unfinished, job, resume=True, first=True)


def test_a_run_that_was_moved_remembers_its_best_epoch(job: Job, unfinished: Path) -> None:
    last = torch.load(unfinished / "checkpoints" / "last.ckpt", weights_only=True)
    (best,) = (each for each in checkpointing(unfinished, job) if "accuracy" in each.state_key)
    (before,) = (state for key, state in last["callbacks"].items() if key == best.state_key)
    best.load_state_dict(before)
    here = str(unfinished / "checkpoints" / "best.ckpt")
    assert before["best_model_path"] != here
    assert best.state_dict() == before | {
        "dirpath": str(unfinished / "checkpoints"),
        "best_model_path": here,
        "kth_best_model_path": here,
        "best_k_models": {here: before["best_model_score"]},
        "current_score": None,
    }


def test_a_full_disk_leaves_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    last = tmp_path / "checkpoints" / "last.ckpt"
    CheckpointFiles().save_checkpoint({"epoch": 1}, last)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        CheckpointFiles().save_checkpoint({"epoch": 2}, last)
    assert torch.load(last, weights_only=True) == {"epoch": 1}
    assert [path.name for path in last.parent.iterdir()] == ["last.ckpt"]
