from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pawsight_export.errors import CalibrationMissing
from pawsight_export.pictures import pictures_to_calibrate, pictures_to_measure
from pawsight_export.request import ExportRequest
from pawsight_training.errors import DataInvalid
from pawsight_training.runs.run import load_run
from tests.export.conftest import SIZE

if TYPE_CHECKING:
    from pawsight_export.graphs.precisions import Precision
    from pawsight_training.runs.run import RunManifest

RUN, REPOSITORY = Path("run"), Path("repository")


@pytest.fixture
def run(run_folder: Path) -> RunManifest:
    return load_run(run_folder).manifest


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_below_float32_real_pictures_are_wanted(run: RunManifest, precision: Precision) -> None:
    request = ExportRequest(RUN, "pets", REPOSITORY, precision=precision)
    with pytest.raises(CalibrationMissing, match="--data"):
        pictures_to_measure(request, run)


def test_in_float32_there_may_be_none(run: RunManifest) -> None:
    request = ExportRequest(RUN, "pets", REPOSITORY)
    assert pictures_to_measure(request, run) is None
    assert pictures_to_calibrate(request, SIZE) is None


def test_pictures_of_other_classes_are_refused(run: RunManifest, drawn: Path) -> None:
    for split in ("train", "validation", "test"):
        (drawn / split / "dogs").rename(drawn / split / "wolves")
    with pytest.raises(DataInvalid, match="has the classes cat, wolves, and the run cat, dog"):
        pictures_to_measure(ExportRequest(RUN, "pets", REPOSITORY, data=drawn), run)
    named = ExportRequest(RUN, "pets", REPOSITORY, data=drawn, classes=("cat", "dog"))
    test = pictures_to_measure(named, run)
    assert test is not None
    assert len(test) == 8


def test_ranges_want_training_pictures() -> None:
    request = ExportRequest(RUN, "pets", REPOSITORY, precision="int8")
    with pytest.raises(CalibrationMissing, match="--calibration"):
        pictures_to_calibrate(request, SIZE)


@pytest.mark.parametrize(("split", "size"), [("validation", 4), ("test", 8)])
def test_held_out_pictures_are_no_calibration_pictures(drawn: Path, split: str, size: int) -> None:
    request = ExportRequest(
        RUN, "pets", REPOSITORY, precision="int8", data=drawn, calibration=drawn / split
    )
    with pytest.raises(
        CalibrationMissing, match=f"{size} of the {size} calibration pictures are {split} p"
    ):
        pictures_to_calibrate(request, SIZE)
