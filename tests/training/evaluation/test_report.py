from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from pawsight_training.errors import RunInvalid
from pawsight_training.evaluation.evaluation import evaluate_model
from pawsight_training.evaluation.report import write_evaluation_report, write_run_report

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_training.data.dataset import Dataset
    from pawsight_training.runs.run import Run


def shown(folder: Path) -> list[str]:
    """Return the pictures that a report shows, each of which can be opened."""
    names = re.findall(r"!\[[^]]+\]\(([^)]+)\)", (folder / "README.md").read_text())
    for name in names:
        with Image.open(folder / name) as picture:
            assert picture.width > 100
    return names


def test_a_runs_card_says_how_it_was_trained_and_how_well_it_does(finished_run: Run) -> None:
    card = (finished_run.path / "README.md").read_text()
    manifest = finished_run.manifest
    assert card.startswith("# scratch, recipe scratch\n")
    assert f"{manifest.parameters:,} parameters" in card
    assert f"| test | {manifest.metrics['test']['accuracy']:.2%} |" in card
    assert f"epoch {manifest.best_epoch}, the best on `validation`" in card
    assert shown(finished_run.path)[:4] == [
        "learning-curves.png",
        "test-confusion-matrix.png",
        "test-roc.png",
        "test-calibration.png",
    ]


def test_an_evaluation_shows_each_split(finished_run: Run, data: Dataset, tmp_path: Path) -> None:
    right = evaluate_model(finished_run.model(), data.splits["validation"])
    right = replace(right, labels=right.predicted)
    wrong = replace(right, labels=1 - right.predicted)
    evaluations = {"validation": right, "test": wrong}
    write_evaluation_report(tmp_path / "report", "a model", evaluations, data)
    names = shown(tmp_path / "report")
    assert len(names) == 7
    assert "test-most-wrong.png" in names
    assert "validation-most-wrong.png" not in names
    assert (tmp_path / "report" / "README.md").read_text().startswith("# a model on drawn\n")


def test_names_are_no_markup(finished_run: Run, data: Dataset, tmp_path: Path) -> None:
    strange = replace(data, classes=("<b>cat", "*dog*"), sources=("a|b_c",))
    measured = evaluate_model(finished_run.model(), data.splits["test"])
    write_evaluation_report(tmp_path, "`mine`", {"test": measured}, strange)
    title = (tmp_path / "README.md").read_text().splitlines()[0]
    assert title == r"# \`mine\` on a\|b\_c"
    manifest = finished_run.manifest.model_copy(update={"classes": strange.classes})
    write_run_report(tmp_path, manifest, [], {"test": measured}, strange)
    card = (tmp_path / "README.md").read_text()
    assert card.count(r"\<b\>cat, \*dog\*") == 2


def test_a_folder_that_cannot_be_written_is_one_sentence(data: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunInvalid, match="another folder with --out"):
        write_evaluation_report(tmp_path / "file", "a model", {}, data)
