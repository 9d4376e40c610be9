"""Which pictures the int8 ranges come from: training pictures, as many of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from pawsight_export.errors import CalibrationMissing
from pawsight_training.data.dataset import load_dataset
from pawsight_training.errors import DataInvalid

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

Method = Literal["minmax", "percentile", "entropy"]

PICTURES: Final = 256
_SEED: Final = 0


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationSet:
    """Pictures, and how a range follows from what they give.

    Attributes:
        pictures: uint8 [N, H, W, 3].
        digest: sha256 over the files of the split that they were drawn from.
        method: how.
    """

    pictures: NDArray[np.uint8]
    digest: str
    method: Method

    def summary(self) -> dict[str, str | int | float]:
        """Return what the manifest says of it."""
        return {
            "method": self.method,
            "pictures": len(self.pictures),
            "split": "train",
            "seed": _SEED,
            "data_sha256": self.digest,
        }


def calibration_set(
    folder: Path, input_size: tuple[int, int], method: Method, pictures: int = PICTURES
) -> CalibrationSet:
    """Draw calibration pictures from the training pictures of a data folder.

    Args:
        folder: a data folder; of its splits, `train` alone is looked at.
        input_size: (height, width) in pixels.
        method: how the range of a map follows from what was seen.
        pictures: how many, over all classes; fewer where there are fewer.

    Raises:
        CalibrationMissing: there is no such folder, or it has no training pictures.
        DataInvalid: the folder holds no pictures of classes, or none to train on.
    """
    if not folder.is_dir():
        raise CalibrationMissing(
            f"There is no folder {folder}; give the folder of training pictures with --calibration."
        )
    try:
        data = load_dataset([folder], input_size, only=("train",))
    except DataInvalid as error:
        raise DataInvalid(
            f"int8 takes its ranges from the train folder of {folder}, and that cannot be used: "
            f"{error} Give a folder of training pictures with --calibration."
        ) from error
    train = data.splits["train"]
    if len(train) == 0:
        raise CalibrationMissing(
            f"{folder} holds no training pictures to calibrate int8 with; give another folder "
            "with --calibration."
        )
    chance = np.random.default_rng(_SEED)
    each = max(1, pictures // len(data.classes))
    rows = [
        chance.permutation(np.flatnonzero(train.labels == label))[:each]
        for label in range(len(data.classes))
    ]
    # Classes alternate in no order of their own: each batch of the calibrator has all of them.
    drawn = chance.permutation(np.concatenate(rows))
    return CalibrationSet(np.array(train.pictures[drawn]), train.digest, method)
