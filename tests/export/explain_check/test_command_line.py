"""The whole check of a small published model, and of a second version of the same weights."""

from __future__ import annotations

import json
import shutil
import tempfile
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from pawsight_export.explain_check.command_line import explain_check
from pawsight_export.exporting import export_run
from pawsight_export.request import ExportRequest
from pawsight_serving.repository.rollback import roll_back
from tests.drawn_pictures import draw_folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def home(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("explain_check")
    pictures = draw_folder(home / "pictures", {"train": 4, "validation": 2, "test": 4})
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_CACHE_HOME", str(home / "cache"))
        export_run(ExportRequest(run_folder, "pets", home / "repository"))
        export_run(
            ExportRequest(run_folder, "pets", home / "repository", precision="fp16", data=pictures)
        )
    return home


def check(home: Path, *options: str) -> Result:
    arguments = ["pets", "--data", str(home / "pictures"), "--pictures", "8"]
    return CliRunner().invoke(
        explain_check, [*arguments, "--repository", str(home / "repository"), *options]
    )


def test_all_three_are_measured(home: Path) -> None:
    result = check(home, "--version", "1", "--method", "grad-cam", "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    (precision,) = figures["precisions"]
    assert precision["with"] == "pets 2 (fp16)"
    assert precision["median correlation"] == pytest.approx(1, abs=0.01)
    assert precision["same class"] == 1
    layers = figures["randomisation"]["grad-cam"]
    assert list(layers) == ["dense2", "dense1", "conv4", "conv3", "conv2", "conv1"]
    assert layers["conv1"] < 0.9, "a map of a random model is another one"
    assert set(figures["pointing"]["grad-cam"]) == {
        "evidence on its own",
        "peak on its own",
        "empty",
    }


def test_a_version_that_holds_no_float_weights_is_not_randomised(home: Path) -> None:
    result = check(home, "--method", "grad-cam")
    assert "pets 2 (fp16), 8 pictures" in result.stdout
    assert "only of a version in fp32" in result.stdout
    for wanted in ("near 1", "near 0", "100 %"):
        assert f"(wanted: {wanted}" in result.stdout


def test_the_version_that_is_served_is_checked(home: Path) -> None:
    roll_back(home / "repository", "pets")
    try:
        assert check(home, "--method", "grad-cam").stdout.startswith("pets 1 (fp32)")
        named = check(home, "--method", "grad-cam", "--version", "2")
        assert named.stdout.startswith("pets 2 (fp16)")
    finally:
        roll_back(home / "repository", "pets", "2")


def test_what_is_broken_of_other_models_holds_nothing_up(home: Path) -> None:
    others = [home / "repository" / name for name in ("another", "unconfigured")]
    for other in others:
        shutil.copytree(home / "repository" / "pets", other)
    (others[0] / "1" / "manifest.json").write_text("{")
    (others[1] / "config.pbtxt").unlink()
    try:
        for version in ("1", ""):
            result = check(home, "--method", "grad-cam", "--version", version)
            assert result.exit_code == 0, result.output
    finally:
        for other in others:
            shutil.rmtree(other)


def test_the_environment_is_that_of_the_other_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAWSIGHT_REPOSITORY", str(tmp_path / "elsewhere"))
    missing = CliRunner().invoke(explain_check, ["pets", "--data", str(tmp_path)])
    assert missing.exit_code == 1
    assert f"There is no model repository at {tmp_path / 'elsewhere'}" in missing.output
    monkeypatch.setenv("PAWSIGHT_REPOSITRY", "elsewhere")
    assert CliRunner().invoke(explain_check, ["pets", "--data", str(tmp_path)]).exit_code == 2


def test_a_folder_for_temporary_files_that_is_not_there_is_one_sentence(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nothing"))
    result = check(home, "--method", "grad-cam")
    assert result.exit_code == 1
    assert "Temporary files cannot be written (No such file or directory)" in result.output


def test_what_is_not_there_is_one_sentence(home: Path) -> None:
    assert check(home, "--method", "lime").exit_code == 2
    missing = CliRunner().invoke(
        explain_check,
        ["other", "--data", str(home), "--repository", str(home / "repository")],
    )
    assert missing.exit_code == 1
    assert "Model 'other' is not served" in missing.output


def test_pictures_of_other_classes_are_refused_until_they_are_named(home: Path) -> None:
    other = home / "other"
    draw_folder(other, {"test": 2})
    for name in ("cats", "dogs"):
        (other / "test" / name).rename(other / "test" / f"{name[0]}s-of-mine")
    result = check(home, "--data", str(other), "--method", "grad-cam")
    assert result.exit_code == 1
    assert "has the classes cs-of-mine, ds-of-mine, and pets cat, dog;" in result.stderr
    assert "--classes" in result.stderr
    named = check(home, "--data", str(other), "--method", "grad-cam", "--classes", "cat,dog")
    assert named.exit_code == 0, named.output


def test_a_picture_that_cannot_be_read_is_named(home: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path, {"test": 2})
    (tmp_path / "test" / "cats" / "torn.jpg").write_bytes(b"torn")
    result = check(home, "--data", str(tmp_path), "--method", "grad-cam")
    assert result.exit_code == 0, result.output
    assert "test/cats/torn.jpg: The file is not a whole" in result.stderr
    assert "4 pictures" in result.stdout
