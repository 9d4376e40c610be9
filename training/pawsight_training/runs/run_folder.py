"""Can a training write its run there? Asked before the minutes of decoding, and of training."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from typing import TYPE_CHECKING

from pawsight_serving.folder_access import fault_of
from pawsight_training.errors import RunInvalid
from pawsight_training.runs.run import is_finished

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)


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


@contextlib.contextmanager
def sole_training(out: Path) -> Iterator[None]:
    """Make a run folder, and keep other trainings out; one that died keeps nobody out.

    Two that write to one folder would leave a mixture of both. A file system without locks lets
    them.

    Raises:
        RunInvalid: another training writes to the folder.
        OSError: the folder cannot be made.
    """
    made = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    folder = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunInvalid(
                f"Another training is writing to {out}; wait for it, or give another folder with "
                "--out."
            ) from error
        except OSError:
            logger.warning("%s cannot be locked: start no second training there", out)
        yield
    finally:
        os.close(folder)
        if made:
            # One that came to nothing leaves nothing; a folder with something in it stays.
            with contextlib.suppress(OSError):
                out.rmdir()
