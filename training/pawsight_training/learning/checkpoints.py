"""What a training writes after every epoch, and how it finds it again."""

from __future__ import annotations

import io
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from pawsight_training.errors import RunInvalid
from pawsight_training.runs.run import CHECKPOINTS
from pawsight_training.runs.run_folder import refuse_unusable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pawsight_training.learning.job import Job

Settings = dict[str, Any]
LAST: Final = "last"
BEST: Final = "best"


def checkpoint_to_resume(out: Path, job: Job, *, resume: bool, first: bool) -> Path | None:
    """Return the checkpoint to go on from, or None to start from the beginning.

    Args:
        out: the run folder.
        job: what is to be trained.
        resume: whether there may be something to go on from.
        first: whether this is the first process of the training; the further ones find what it
            has begun to write.

    Raises:
        RunInvalid: the run folder cannot be used (see `refuse_unusable`), or what it holds was
            begun with other settings.
    """
    refuse_unusable(out, resume=resume, first=first)
    if not resume:
        return None
    last = _path(out, LAST)
    if not last.exists():
        return None
    begun = _read(last)["settings"]
    settings = _settings(job)
    now = settings | settings["recipe"]
    # What a checkpoint does not name came with a later version, and changes nothing by default.
    changed = [
        name
        for name, value in (begun | begun["recipe"]).items()
        if name != "recipe" and now.get(name) != value
    ]
    if changed:
        raise RunInvalid(
            f"{out} was begun with another {' and another '.join(changed)}; "
            "resume with the same options, or give another folder with --out."
        )
    return last


def read_best(out: Path) -> Mapping[str, Any]:
    """Return the checkpoint of the epoch with the best validation accuracy.

    Raises:
        RunInvalid: it is missing or damaged.
    """
    return _read(_path(out, BEST))


def checkpointing(out: Path, job: Job) -> list[pl.Callback]:
    """Return the callbacks that write the best and the last epoch into the run folder."""
    options: dict[str, Any] = {
        "dirpath": out / CHECKPOINTS,
        "save_on_train_epoch_end": True,
        "enable_version_counter": False,
    }
    return [
        _SettingsKeeper(_settings(job)),
        # `last` carries what `best` knows, so it is written after it.
        _Checkpoint(filename=BEST, monitor="validation_accuracy", mode="max", **options),
        _Checkpoint(filename=LAST, **options),
    ]


class CheckpointFiles(TorchCheckpointIO):
    """Writes a checkpoint beside its place, and then into it: the one before stays until then.

    Lightning writes it where temporary files go, and where that is another disk it is copied over
    the one before: a kill or a full disk in the middle of that would leave neither.
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | os.PathLike[str],
        storage_options: Any = None,  # noqa: ARG002
    ) -> None:
        """Write a checkpoint; it appears whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        # Into memory first: torch turns a full disk into an error of its own.
        data = io.BytesIO()
        torch.save(checkpoint, data)
        whole = Path(path)
        partial = whole.with_suffix(".part")
        whole.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as out:
                out.write(data.getbuffer())
                out.flush()
                os.fsync(out.fileno())
            partial.replace(whole)
        finally:
            partial.unlink(missing_ok=True)


class _Checkpoint(ModelCheckpoint):
    """Finds its files where the run folder is now: it may have been moved or renamed.

    Lightning would forget the best score then, and keep whichever epoch comes next.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        folder = Path(str(self.dirpath))
        here = {
            name: str(folder / Path(state_dict[name]).name) if state_dict[name] else ""
            for name in ("best_model_path", "kth_best_model_path", "last_model_path")
        }
        best = {str(folder / Path(path).name): s for path, s in state_dict["best_k_models"].items()}
        super().load_state_dict(
            {**state_dict, **here, "dirpath": self.dirpath, "best_k_models": best}
        )


class _SettingsKeeper(pl.Callback):
    """Puts the settings into every checkpoint."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def on_save_checkpoint(
        self,
        trainer: pl.Trainer,  # noqa: ARG002
        pl_module: pl.LightningModule,  # noqa: ARG002
        checkpoint: dict[str, Any],
    ) -> None:
        checkpoint["settings"] = self.settings


def _settings(job: Job) -> Settings:
    """Return all that must be the same for a training to go on with the same result."""
    return {
        "recipe": asdict(job.recipe),
        "seed": job.seed,
        "precision": job.machine.precision,
        "processes": job.machine.devices * job.machine.nodes,
        "classes": list(job.data.classes),
        "input_size": list(job.data.input_size),
        "data": {name: split.digest for name, split in job.data.splits.items()},
        "weights": job.weights.sha256 if job.weights else None,
    }


def _read(checkpoint: Path) -> Mapping[str, Any]:
    try:
        content: Mapping[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:
        # What is damaged raises whatever its bytes happen to spell.
        raise RunInvalid(
            f"The checkpoint {checkpoint} is missing or damaged; restore it, or train anew into "
            "another folder."
        ) from error
    return content


def _path(out: Path, name: str) -> Path:
    return out / CHECKPOINTS / f"{name}.ckpt"
