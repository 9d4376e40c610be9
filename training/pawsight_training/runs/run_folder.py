"""Can a training write its run there? Asked before the minutes of decoding, and of training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pawsight_serving.folder_access import fault_of
from pawsight_training.errors import RunInvalid
from pawsight_training.runs.run import is_finished

if TYPE_CHECKING:
    from pathlib import Path


def refuse_unusable(out: Path, *, resume: bool, first: bool) -> None:
    """Refuse a run folder that is in the way of a training, or that it could not write.

    Nothing is written to find out.

    Args:
        out: the run folder.
        resume: whether there may be something to go on from.
        first: whether this is the first process of the training; the further ones find what it
            has begun to write.

    Raises:
        RunInvalid: the folder holds a finished run, or anything where nothing is gone on with, or
            may not be written.
    """
    if is_finished(out):
        raise RunInvalid(f"{out} already holds a finished run; give another folder with --out.")
    if fault := fault_of(out):
        raise RunInvalid(
            f"The run cannot be written to {out}: {fault}; mend that, or give another folder with "
            "--out."
        )
    if first and not resume and out.exists() and any(out.iterdir()):
        raise RunInvalid(
            f"{out} is not empty; go on with --resume, or give another folder with --out."
        )
