"""A run made small enough to keep: float16 weights, and no picture of anybody."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pawsight_training.errors import RunInvalid
from pawsight_training.runs.run import HISTORY, Run, load_run, write_manifest, write_weights

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_training.architectures import ConvNet


def pack_run(run: Run, out: Path) -> Run:
    """Copy a finished run with its weights in float16: to fine-tune from and to export.

    Manifest, weights and history are all that is copied; the report shows training pictures, and
    checkpoints are for resuming. The figures in the manifest stay those of the float32 weights.

    Args:
        run: the run.
        out: the folder to write; a new one.

    Raises:
        RunInvalid: `out` is in the way or cannot be written.
    """
    if out.is_dir() and any(out.iterdir()):
        raise RunInvalid(f"{out} is not empty; give another folder with --out.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run.path / HISTORY, out / HISTORY)
        digest = write_weights(out, _halved(run.model()))
        packed = {"weights_sha256": digest, "stored_precision": "float16"}
        write_manifest(out, run.manifest.model_copy(update=packed))
    except OSError as error:
        raise RunInvalid(
            f"The run cannot be packed into {out} ({error.strerror}); free some space, or give "
            "another folder with --out."
        ) from error
    return load_run(out)


def _halved(net: ConvNet) -> ConvNet:
    # The constants of normalisation are a handful, and stay those that the manifest names.
    for weight in net.parameters():
        weight.data = weight.data.half()
    return net
