"""What `--resume` finds before anything is trained: a run begun, or one that is finished."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from pawsight_training.errors import RunInvalid
from pawsight_training.runs.run import Run, is_begun, is_finished, load_run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pawsight_training.data.dataset import Dataset
    from pawsight_training.runs.run import RunManifest


def finished_before(out: Path, wanted: Mapping[str, object]) -> Run | None:
    """Return the finished run that is to be gone on with; None where there is work left.

    Args:
        out: the run folder.
        wanted: options by name, as `_options` reads them from a manifest; None is any.

    Raises:
        RunInvalid: nothing was begun there, a damaged run, or one that was finished with other
            options.
    """
    if not is_begun(out):
        raise RunInvalid(f"There is no run {out} to go on with; begin it without --resume.")
    if not is_finished(out):
        return None
    run = load_run(out)
    before = _options(run.manifest)
    changed = [name for name, value in wanted.items() if value not in (None, before[name])]
    if changed:
        raise RunInvalid(
            f"{out} is finished, with another {' and another '.join(changed)}; " + _train_anew(out)
        )
    return run


def refuse_other_pictures(run: Run, data: Dataset) -> None:
    """Refuse to go on with a finished run on pictures that it was not trained on.

    Raises:
        RunInvalid: the files of a split are others, or have other labels.
    """
    if run.manifest.data.digests != {name: split.digest for name, split in data.splits.items()}:
        raise RunInvalid(
            f"{run.path} is finished, on other pictures than those of --data; "
            f"{_train_anew(run.path)}"
        )


def _train_anew(out: Path) -> str:
    return f"train anew with another --out, from its weights with --weights {out}."


def _options(manifest: RunManifest) -> dict[str, object]:
    return {
        "recipe": manifest.recipe_name,
        **asdict(manifest.recipe),
        "seed": manifest.seed,
        "input size": manifest.input_size,
        "classes": manifest.classes,
        "weights": (manifest.initial_weights or {}).get("sha256"),
    }
