from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from pawsight_training import command_line
from pawsight_training.runs.run import load_run
from tests.drawn_pictures import draw_folder

if TYPE_CHECKING:
    from pathlib import Path

    import click

    from pawsight_training.runs.run import Run


def invoke(command: click.Command, *arguments: str | Path) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_a_run_is_trained_and_a_second_time_left_alone(
    drawn: Path, cache: Path, tmp_path: Path
) -> None:
    arguments = (
        *("scratch", "--data", drawn, "--cache", cache, "--out", tmp_path / "run"),
        *("--input-size", "46", "--epochs", "1", "--seed", "3", "--classes", "disc, stripes"),
        *("--learning-rate", "2e-3", "--batch-size", "8", "--schedule", "cosine"),
        *("--dropout", "0.25", "--average", "0.5", "--precision", "32", "--accelerator", "cpu"),
    )
    result = invoke(command_line.train, *arguments)
    assert result.exit_code == 0, result.output
    assert "train: 40 pictures of disc, stripes" in result.output
    manifest = load_run(tmp_path / "run").manifest
    recipe = manifest.recipe
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (1, 8, 2e-3)
    assert (recipe.schedule, recipe.dropout, recipe.average) == ("cosine", 0.25, 0.5)
    assert (manifest.seed, manifest.classes) == (3, ("disc", "stripes"))
    assert f"accuracy {manifest.metrics['test']['accuracy']:.2%}" in result.output

    again = invoke(command_line.train, *arguments)
    assert (again.exit_code, "already holds a finished run" in again.stderr) == (1, True)
    resumed = invoke(command_line.train, *arguments, "--resume")
    assert (resumed.exit_code, "was finished before" in resumed.output) == (0, True)
    longer = invoke(command_line.train, *arguments, "--resume", "--epochs", "3")
    assert (longer.exit_code, "with another epochs" in longer.stderr) == (1, True)
    others = draw_folder(tmp_path / "others", {"train": 3, "validation": 3, "test": 3})
    elsewhere = invoke(command_line.train, *arguments, "--data", others, "--resume")
    assert (elsewhere.exit_code, "on other pictures" in elsewhere.stderr) == (1, True)
    assert load_run(tmp_path / "run").manifest == manifest


def test_a_run_folder_that_cannot_be_used_is_refused_before_a_picture_is_decoded(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(command_line, "load_dataset")
    (tmp_path / "notes.txt").touch()
    common = (*("scratch", "--data", drawn), *("--accelerator", "cpu", "--precision", "32"))
    for out, sentence in ((tmp_path, "is not empty"), (tmp_path / "notes.txt", "is no folder")):
        result = invoke(command_line.train, *common, "--out", out)
        assert (result.exit_code, sentence in result.stderr) == (1, True)


def test_a_dry_run_prints_the_layers_and_writes_nothing(drawn: Path, tmp_path: Path) -> None:
    result = invoke(command_line.train, "frozen-augmented", "--data", drawn, "--dry-run")
    assert result.exit_code == 0
    assert "block5_conv3" in result.output
    assert "16,812,353" in result.output
    assert "2,097,665" in result.output
    assert not list(tmp_path.iterdir())


def test_skipped_pictures_are_named(tmp_path: Path, cache: Path) -> None:
    folder = draw_folder(tmp_path / "drawn", {"train": 6})
    (folder / "train" / "cats" / "2.jpg").write_bytes(b"broken")
    result = invoke(
        *(command_line.train, "scratch", "--data", folder, "--cache", cache, "--epochs", "1"),
        *("--out", tmp_path / "run", "--input-size", "46", "--accelerator", "cpu"),
    )
    assert result.exit_code == 0, result.output
    assert "a tenth of train is held out" in result.output
    assert "Skipped drawn/train/cats/2.jpg: The file is not a whole JPEG" in result.stderr
    data = load_run(tmp_path / "run").manifest.data
    assert data.skipped == ("drawn/train/cats/2.jpg",)
    assert data.held_out


def test_pictures_of_train_that_are_in_test_too_are_named(tmp_path: Path, cache: Path) -> None:
    folder = draw_folder(tmp_path / "drawn", {"train": 2, "validation": 2, "test": 2})
    shutil.copy(folder / "train/cats/1.jpg", folder / "test/cats/7.jpg")
    result = invoke(
        *(command_line.train, "scratch", "--data", folder, "--cache", cache, "--epochs", "1"),
        *("--out", tmp_path / "run", "--input-size", "46", "--accelerator", "cpu"),
    )
    assert "1 pictures of test are in a split before it too, as drawn/test/cats/7" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["scratch", "--data", "nothing", "--out", "run"], 1, "There is no folder nothing"),
        (["scratch", "--data", "DRAWN"], 2, "Missing option '--out'"),
        (["scratch", "--out", "run"], 2, "Missing option '--data'"),
        (["resnet", "--data", "DRAWN", "--out", "run"], 2, "'resnet' is not one of"),
        (["scratch", "--data", "DRAWN", "--out", "run", "--epochs", "0"], 1, "--epochs must be"),
        (["scratch", "--data", "DRAWN", "--out", "run", "--input-size", "9"], 1, "at least 46x46"),
        (["fine-tune", "--data", "DRAWN", "--out", "run"], 1, "give --weights imagenet"),
        (
            ["features", "--data", "DRAWN", "--out", "run", "--weights", "nothing"],
            1,
            "There are no weights nothing",
        ),
        (["scratch", "--data", "DRAWN", "--out", "run", "--resume"], 1, "There is no run run to"),
        (["scratch", "--data", "DRAWN", "--out", "run", "--seed", "-1"], 2, "'--seed'"),
        (["scratch", "--data", "DRAWN", "--out", "run", "--seed", str(2**64)], 2, "'--seed'"),
        (
            ["scratch", "--data", "DRAWN", "--out", "run", "--classes", "cat, cat"],
            1,
            "Each class needs a name of its own, and these are given: cat,cat;",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence_before_a_picture_is_decoded(
    drawn: Path,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr(command_line, "load_dataset")
    given = [str(drawn) if argument == "DRAWN" else argument for argument in arguments]
    result = invoke(command_line.train, *given, "--cache", cache)
    assert result.exit_code == code
    assert sentence in result.stderr
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())


def test_a_run_is_evaluated(finished_run: Run, drawn: Path, cache: Path, tmp_path: Path) -> None:
    common = (command_line.evaluate, finished_run.path, "--data", drawn, "--cache", cache)
    said = invoke(*common)
    accuracy = finished_run.manifest.metrics["test"]["accuracy"]
    assert f"test: 16 pictures, accuracy {accuracy:.2%}" in said.output
    assert "as cat" in said.output
    both = invoke(
        *common, "--split", "test", "--split", "validation", "--json", "--out", tmp_path / "report"
    )
    figures = json.loads(both.stdout)
    assert figures["splits"].keys() == {"test", "validation"}
    assert figures["splits"]["test"]["accuracy"] == pytest.approx(accuracy)
    assert sum(map(sum, figures["splits"]["test"]["confusion"])) == 16
    assert (tmp_path / "report" / "validation-roc.png").exists()
    again = invoke(*common, "--out", tmp_path / "report")
    assert again.exit_code == 0
    assert "validation" not in (tmp_path / "report" / "README.md").read_text()


def test_no_evaluation_replaces_a_model_card(
    finished_run: Run, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(command_line, "load_dataset")
    card = (finished_run.path / "README.md").read_text()
    refused = invoke(
        *(command_line.evaluate, finished_run.path, "--data", drawn, "--out", finished_run.path)
    )
    assert refused.exit_code == 1
    assert "would be lost; give another folder with --out." in refused.stderr
    assert (finished_run.path / "README.md").read_text() == card


def test_a_picture_that_cannot_be_evaluated_is_named(
    finished_run: Run, cache: Path, tmp_path: Path
) -> None:
    folder = draw_folder(tmp_path / "drawn", {"test": 3})
    (folder / "test" / "cats" / "2.jpg").write_bytes(b"broken")
    arguments = (finished_run.path, "--data", folder, "--cache", cache, "--json")
    result = invoke(command_line.evaluate, *arguments)
    assert "Skipped drawn/test/cats/2.jpg: The file is not a whole JPEG" in result.stderr
    confusion = json.loads(result.stdout)["splits"]["test"]["confusion"]
    assert [sum(row) for row in confusion] == [2, 3]


def test_a_model_is_evaluated_only_on_its_own_classes(
    finished_run: Run, drawn: Path, cache: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(drawn, tmp_path / "other")
    for split in ("train", "validation", "test"):
        (other / split / "cats").rename(other / split / "birds")
    wrong = invoke(command_line.evaluate, finished_run.path, "--data", other, "--cache", cache)
    assert wrong.exit_code == 1
    assert "the classes bird" in wrong.stderr


def test_what_is_neither_run_nor_model_is_said_to_be_neither(drawn: Path, tmp_path: Path) -> None:
    arguments = [str(argument) for argument in ("runs/nosuch", "--data", drawn)]
    # A variable counts as the flag does.
    named = {"PAWSIGHT_REPOSITORY": str(tmp_path / "of-mine")}
    unknown = CliRunner().invoke(command_line.evaluate, arguments, env=named)
    assert unknown.exit_code == 1
    assert "runs/nosuch is not a run folder" in unknown.stderr
    assert f"There is no model repository at {tmp_path / 'of-mine'}" in unknown.stderr


def test_filters_are_drawn(finished_run: Run, tmp_path: Path) -> None:
    result = invoke(
        *(command_line.filters, finished_run.path, "--out", tmp_path / "filters"),
        *("--layer", "conv2", "--filters", "3", "--side", "32", "--steps", "2"),
    )
    assert result.exit_code == 0
    assert [path.name for path in (tmp_path / "filters").iterdir()] == ["conv2.png"]


def test_importing_the_commands_does_not_import_lightning() -> None:
    code = "import sys, pawsight_training.command_line; print('lightning.pytorch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.stdout.strip() == "False"
