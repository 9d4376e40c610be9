"""`pawsight data`, from what is downloaded to folders that are trained on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from click.testing import CliRunner, Result

from pawsight_training.data.preparation import command_line
from tests.training.data.preparation.patchwork import patchwork

if TYPE_CHECKING:
    from pathlib import Path


def invoke(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(command_line.data, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_data_is_prepared(tmp_path: Path) -> None:
    source = tmp_path / "raw"
    for first, folder in ((0, "Cat"), (100, "Dog")):
        (source / "PetImages" / folder).mkdir(parents=True)
        for index in range(6):
            picture = source / "PetImages" / folder / f"{index}.jpg"
            picture.write_bytes(patchwork(first + index))
    shutil.copy(source / "PetImages/Cat/0.jpg", source / "PetImages/Cat/99.jpg")
    arguments = ("prepare", source, tmp_path / "ready", "--seed", "1")
    sizes = ("--train", "3", "--validation", "2", "--test", "1")
    result = invoke(*arguments, *sizes)
    assert result.exit_code == 0, result.output
    assert "1 repeated, as PetImages/Cat/99.jpg" in result.output
    assert len(list((tmp_path / "ready" / "train" / "cat").iterdir())) == 3
    again = invoke(*arguments, *sizes)
    assert (again.exit_code, "is there already" in again.stderr) == (1, True)


def test_nothing_is_made_of_no_pictures(tmp_path: Path) -> None:
    for name in ("cat.0.jpg", "dog.0.jpg"):
        (tmp_path / name).write_bytes(patchwork(len(name)))
    none = ("--train", "0", "--validation", "0", "--test", "0")
    result = invoke("prepare", tmp_path, tmp_path / "ready", *none)
    assert (result.exit_code, "No picture is asked for" in result.stderr) == (1, True)


def test_sorting_pictures_needs_no_torch() -> None:
    code = (
        "import sys, pawsight_training.data.preparation.command_line;"
        "heavy = {'torch', 'torchvision', 'lightning', 'grpc'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
