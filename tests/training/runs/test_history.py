from __future__ import annotations

import csv
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from pawsight_training.errors import RecipeInvalid
from pawsight_training.learning.training import train
from pawsight_training.runs.history import COLUMNS
from pawsight_training.runs.run import load_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pawsight_training.data.dataset import Dataset
    from pawsight_training.learning.job import Job


def rows_of(job: Job, out: Path) -> list[dict[str, float]]:
    train(job, out)
    with (out / "history.csv").open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def test_there_is_a_row_an_epoch(
    data: Dataset,
    make_job: Callable[..., Job],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = rows_of(make_job("scratch", data, epochs=3), tmp_path / "run")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert list(rows[0]) == list(COLUMNS)
    assert all(0 <= row["train_accuracy"] <= 1 and row["seconds"] > 0 for row in rows)
    assert {row["learning_rate"] for row in rows} == {1e-4}
    assert "epoch   3/3" in capsys.readouterr().out


def test_an_epochs_seconds_are_its_own(
    data: Dataset, make_job: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter(range(1000, 2000, 2))
    clock = SimpleNamespace(monotonic=lambda: next(ticks))
    monkeypatch.setattr("pawsight_training.runs.history.time", clock)
    rows = rows_of(make_job("scratch", data, epochs=2), tmp_path / "run")
    assert [row["seconds"] for row in rows] == [2, 2]
    assert load_run(tmp_path / "run").manifest.duration_s == 4


# Of three epochs the first ends at a third of a cosine's way down, or soon after a cycle's peak.
@pytest.mark.parametrize(("schedule", "first"), [("one-cycle", 0.933), ("cosine", 0.75)])
def test_schedules_end_low(
    data: Dataset, make_job: Callable[..., Job], tmp_path: Path, schedule: str, first: float
) -> None:
    job = make_job("scratch", data, epochs=3, schedule=schedule)
    rates = [row["learning_rate"] for row in rows_of(job, tmp_path / "run")]
    assert rates[0] == max(rates) == pytest.approx(first * 1e-4, rel=1e-3)
    assert rates[-1] < 0.1 * max(rates)


def test_a_training_that_diverged_is_stopped_before_it_is_kept(
    data: Dataset, make_job: Callable[..., Job], tmp_path: Path
) -> None:
    job = make_job("scratch", data, epochs=3, learning_rate=1e30)
    with pytest.raises(RecipeInvalid, match=r"In epoch 1 .* lower --learning-rate"):
        train(job, tmp_path / "run")
    assert not list(tmp_path.rglob("*.ckpt"))
