"""A finished run at half the size, to be kept and passed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pawsight_training.errors import RunInvalid
from pawsight_training.run import Run, load_run, write_manifest, write_weights

if TYPE_CHECKING:
    from pathlib import Path


def write_half(run: Run, out: Path) -> Run:
    """Write weights in float16 and the manifest of a run into a new folder.

    The preprocessing stays in float32. What comes back is a run as any other: to fine-tune from,
    to evaluate and to export. The figures in its manifest are those of the whole weights.

    Raises:
        RunInvalid: the folder is in the way or cannot be written, or the run is damaged.
    """
    net = run.model()
    net.features.half()
    net.head.half()
    try:
        out.mkdir(parents=True)
        digest = write_weights(out, net)
        write_manifest(out, run.manifest.model_copy(update={"weights_sha256": digest}))
    except OSError as error:
        raise RunInvalid(
            f"The run cannot be written to {out} ({error.strerror}); give another folder."
        ) from error
    return load_run(out)
