"""The pictures that an export is measured on, and those that int8's ranges are taken from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pawsight_export.errors import CalibrationMissing
from pawsight_export.graphs.calibration import CalibrationSet, calibration_set
from pawsight_training.data.dataset import load_dataset
from pawsight_training.data.folders import list_pictures
from pawsight_training.errors import DataInvalid

if TYPE_CHECKING:
    from pawsight_export.request import ExportRequest
    from pawsight_training.data.dataset import Split
    from pawsight_training.runs.run import RunManifest


def pictures_to_measure(request: ExportRequest, run: RunManifest) -> Split | None:
    """Return the test pictures of what is asked for; None where there are none.

    Raises:
        DataInvalid: `data` holds no pictures of class folders, or other classes than the run's.
        CalibrationMissing: there are none, and the precision is below fp32.
    """
    test = None
    if data := request.data:
        listing = list_pictures([data], classes=request.classes, hold_out=False)
        if listing.classes != run.classes:
            raise DataInvalid(
                f"{data} has the classes {', '.join(listing.classes)}, and the run "
                f"{', '.join(run.classes)}; name the folders' classes with --classes, or give "
                "other pictures with --data."
            )
        if "test" in listing.splits:
            # Alone: of what the run was trained on nothing is asked here.
            only = load_dataset([data], run.input_size, classes=request.classes, only=("test",))
            test = only.splits["test"]
    if test is None and request.precision != "fp32":
        raise CalibrationMissing(
            f"An export in {request.precision} is held against the float32 model on real pictures; "
            "give a folder that has a test folder with --data."
        )
    return test


def pictures_to_calibrate(request: ExportRequest, size: tuple[int, int]) -> CalibrationSet | None:
    """Return the pictures that the ranges come from; None where the precision needs none.

    Raises:
        DataInvalid: the folder holds no pictures of classes, or none to train on.
        CalibrationMissing: there are none, or validation or test pictures are among them.
    """
    if request.precision != "int8":
        return None
    folder = request.calibration or request.data
    if folder is None:
        raise CalibrationMissing(
            "int8 takes its ranges from training pictures; give their folder with --calibration."
        )
    calibration = calibration_set(folder, size, request.calibration_method)
    _refuse_held_out_pictures(calibration, request, size)
    return calibration


def _refuse_held_out_pictures(
    calibration: CalibrationSet, request: ExportRequest, size: tuple[int, int]
) -> None:
    """Refuse ranges that come from what is chosen by or measured on."""
    if (data := request.data) is None:
        return
    classes = request.classes
    there = list_pictures([data], classes=classes, hold_out=False).splits
    held_out = [name for name in ("validation", "test") if name in there]
    for name, split in load_dataset([data], size, classes=classes, only=held_out).splits.items():
        known = {picture.tobytes() for picture in split.pictures}
        shared = sum(picture.tobytes() in known for picture in calibration.pictures)
        if shared:
            raise CalibrationMissing(
                f"{shared} of the {len(calibration.pictures)} calibration pictures are {name} "
                "pictures of --data; give training pictures with --calibration."
            )
