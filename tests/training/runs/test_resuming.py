from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pawsight_training.errors import RunInvalid
from pawsight_training.runs.resuming import finished_before, refuse_other_pictures
from pawsight_training.runs.run import write_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_training.data.dataset import Dataset
    from pawsight_training.runs.run import Run


def test_a_folder_that_is_not_there_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(RunInvalid, match=r"There is no run .*/typo to go on with"):
        finished_before(tmp_path / "typo", {})


def test_in_a_folder_without_a_run_nothing_was_begun(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(RunInvalid, match=r"There is no run .*; begin it without --resume"):
            finished_before(tmp_path, {})
        (tmp_path / "notes.txt").touch()


def test_a_run_that_was_killed_in_its_first_epoch_is_begun(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").mkdir()
    assert finished_before(tmp_path, {}) is None


def test_a_finished_run_is_of_its_own_pictures(finished_run: Run, data: Dataset) -> None:
    refuse_other_pictures(finished_run, data)
    fewer = replace(data, splits=data.splits | {"train": data.splits["test"]})
    with pytest.raises(RunInvalid, match="on other pictures than those of --data; train anew"):
        refuse_other_pictures(finished_run, fewer)


def test_an_unfinished_run_is_left_to_the_training(finished_run: Run, tmp_path: Path) -> None:
    unfinished = shutil.copytree(finished_run.path, tmp_path / "run")
    (unfinished / "manifest.json").unlink()
    assert finished_before(unfinished, {"epochs": 99}) is None


def test_a_finished_run_is_found_by_its_own_options(finished_run: Run) -> None:
    same = {"recipe": "scratch", "epochs": 6, "seed": 0, "input size": (46, 46), "weights": None}
    assert finished_before(finished_run.path, same) == finished_run


def test_a_finished_run_is_found_by_the_weights_that_it_began_with(
    finished_run: Run, tmp_path: Path
) -> None:
    folder = shutil.copytree(finished_run.path, tmp_path / "run")
    began = {"source": "imagenet", "sha256": "0" * 64}
    write_manifest(folder, finished_run.manifest.model_copy(update={"initial_weights": began}))
    run = finished_before(folder, {"weights": "0" * 64})
    assert run
    assert run.manifest.initial_weights == began
    with pytest.raises(RunInvalid, match="with another weights; train anew"):
        finished_before(folder, {"weights": "1" * 64})


@pytest.mark.parametrize(
    "other",
    [
        {"recipe": "scratch-augmented"},
        {"epochs": 7},
        {"seed": 1},
        {"input size": (50, 46)},
        {"classes": ("disc", "stripes")},
        {"weights": "0" * 64},
    ],
    ids=lambda other: next(iter(other)),
)
def test_with_other_options_it_is_refused(finished_run: Run, other: dict[str, Any]) -> None:
    with pytest.raises(RunInvalid, match=f"with another {next(iter(other))}; train anew"):
        finished_before(finished_run.path, other)
