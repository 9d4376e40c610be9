"""A training from its first to its last line."""

from __future__ import annotations

import logging
import platform
import sys
import warnings
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import (
    EarlyStopping,
    EMAWeightAveraging,
    ModelCheckpoint,
    RichProgressBar,
)
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from pawsight_serving.repository.manifest import Preprocessing
from pawsight_training.architectures import build
from pawsight_training.errors import RunInvalid, TrainingInterrupted
from pawsight_training.evaluation import evaluate_model
from pawsight_training.history import History
from pawsight_training.learner import Learner
from pawsight_training.loading import Batches
from pawsight_training.run import (
    CHECKPOINTS,
    HISTORY,
    DataSummary,
    Run,
    RunManifest,
    is_finished,
    load_run,
    write_manifest,
    write_weights,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pawsight_training.architectures import ConvNet
    from pawsight_training.dataset import Dataset
    from pawsight_training.machine import Machine
    from pawsight_training.recipes import Recipe

LAST: Final = "last.ckpt"
BEST: Final = "best.ckpt"
LIBRARIES: Final = ("pawsight", "torch", "torchvision", "lightning", "numpy", "pillow")


def train(
    name: str,
    recipe: Recipe,
    data: Dataset,
    out: Path,
    *,
    seed: int,
    machine: Machine,
    resume: bool = False,
) -> Run:
    """Train a net and leave a finished run in `out`.

    Args:
        name: of the recipe, for the manifest.
        recipe: what is trained, and how.
        data: pictures in the net's input size, with `train` and `validation`.
        out: the run folder; a new one, or with `resume` one that was begun.
        seed: of the first weights, the order of the pictures, augmentation and dropout.
        machine: devices and precision.
        resume: go on from the last epoch that ended; from the start where none did.

    Raises:
        RunInvalid: `out` holds a run that is in the way, or that was begun otherwise.
        TrainingInterrupted: Ctrl-C or SIGTERM.
    """
    settings = _settings(recipe, data, seed, machine)
    checkpoint = _prepare_folder(out, settings, resume=resume)

    torch.manual_seed(seed)
    net = build(recipe.architecture, len(data.classes), _input_size(data), recipe.dropout)
    net = net.to(memory_format=torch.channels_last)

    history = History(out / HISTORY)
    learner = Learner(net, recipe, seed)
    trainer = pl.Trainer(
        accelerator=machine.accelerator,
        devices=machine.devices,
        num_nodes=machine.nodes,
        strategy=machine.strategy,
        precision="bf16-mixed" if machine.precision == "bf16" else "32-true",
        max_epochs=recipe.epochs,
        deterministic=True,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=sys.stdout.isatty(),
        default_root_dir=out,
        logger=TensorBoardLogger(out, name="tensorboard", version=""),
        callbacks=[history, *_callbacks(recipe, out / CHECKPOINTS, settings)],
    )
    with _interruptible(trainer), _quiet():
        trainer.fit(
            learner, datamodule=Batches(data, recipe.batch_size, seed), ckpt_path=checkpoint
        )

    best = torch.load(out / CHECKPOINTS / BEST, map_location="cpu", weights_only=True)
    learner.load_state_dict(best["state_dict"])
    net = learner.net.to(memory_format=torch.contiguous_format).eval()
    if trainer.is_global_zero:
        measured = {
            split: evaluate_model(net, data.splits[split]).metrics
            for split in ("validation", "test")
            if split in data.splits
        }
        manifest = RunManifest(
            created=datetime.now(UTC),
            recipe_name=name,
            recipe=recipe,
            architecture=recipe.architecture,
            classes=data.classes,
            input_size=_input_size(data),
            preprocessing=_preprocessing(net),
            seed=seed,
            precision=machine.precision,
            data=_summary(data),
            epochs_trained=len(history.rows),
            best_epoch=best["epoch"] + 1,
            metrics=measured,
            weights_sha256=write_weights(out, net),
            parameters=sum(weight.numel() for weight in net.parameters()),
            trainable_parameters=sum(
                weight.numel() for weight in net.parameters() if weight.requires_grad
            ),
            duration_s=round(sum(row["seconds"] for row in history.rows), 1),
            libraries={"python": platform.python_version()}
            | {library: version(library) for library in LIBRARIES},
        )
        write_manifest(out, manifest)
    trainer.strategy.barrier()
    return load_run(out)


class _Settings(pl.Callback):
    """Puts what a training was begun with into its checkpoints."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings

    def on_save_checkpoint(
        self,
        trainer: pl.Trainer,  # noqa: ARG002
        pl_module: pl.LightningModule,  # noqa: ARG002
        checkpoint: dict[str, Any],
    ) -> None:
        checkpoint["settings"] = self.settings


def _callbacks(recipe: Recipe, folder: Path, settings: dict[str, Any]) -> list[pl.Callback]:
    every_epoch: dict[str, Any] = {
        "dirpath": folder,
        "save_on_train_epoch_end": True,
        "enable_version_counter": False,
    }
    callbacks: list[pl.Callback] = [
        _Settings(settings),
        # `last` carries what `best` knows, so it is written after it.
        ModelCheckpoint(filename="best", monitor="validation_accuracy", mode="max", **every_epoch),
        ModelCheckpoint(filename="last", **every_epoch),
    ]
    if recipe.average:
        callbacks.append(EMAWeightAveraging(decay=recipe.average))
    if recipe.patience:
        callbacks.append(
            EarlyStopping(
                "validation_accuracy",
                mode="max",
                patience=recipe.patience,
                check_on_train_epoch_end=True,
            )
        )
    if sys.stdout.isatty():
        callbacks.append(RichProgressBar(leave=False))
    return callbacks


def _settings(recipe: Recipe, data: Dataset, seed: int, machine: Machine) -> dict[str, Any]:
    return {
        "recipe": asdict(recipe),
        "seed": seed,
        "precision": machine.precision,
        "processes": machine.devices * machine.nodes,
        "classes": list(data.classes),
        "input_size": list(_input_size(data)),
        "data": {name: split.digest for name, split in data.splits.items()},
    }


def _prepare_folder(out: Path, settings: dict[str, Any], *, resume: bool) -> Path | None:
    """Return the checkpoint to go on from, if any."""
    last = out / CHECKPOINTS / LAST
    if is_finished(out):
        raise RunInvalid(f"{out} already holds a finished run; give another folder with --out.")
    if not resume:
        # Lightning starts the further processes of one training with the same command line.
        if pl.utilities.rank_zero_only.rank == 0 and out.exists() and any(out.iterdir()):
            raise RunInvalid(
                f"{out} is not empty; go on with --resume, or give another folder with --out."
            )
        return None
    if not last.exists():
        return None
    begun = torch.load(last, map_location="cpu", weights_only=True, mmap=True)["settings"]
    changed = [key for key in settings if settings[key] != begun.get(key)]
    if changed:
        raise RunInvalid(
            f"{out} was begun with other settings ({', '.join(changed)}); "
            "resume with the same ones, or give another folder with --out."
        )
    return last


@contextmanager
def _interruptible(trainer: pl.Trainer) -> Iterator[None]:
    try:
        yield
    except SIGTERMException as error:
        raise TrainingInterrupted("The training was stopped; go on with --resume.") from error
    except SystemExit as error:
        # Lightning turns Ctrl-C into an exit of its own.
        if not trainer.interrupted:
            raise
        raise TrainingInterrupted("The training was stopped; go on with --resume.") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the notices of Lightning, and the advice that does not hold here."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Pictures come decoded from memory-mapped files: workers would only cost time.
        warnings.filterwarnings("ignore", message=".*does not have many workers")
        warnings.filterwarnings("ignore", message="The number of training batches")
        yield


def _input_size(data: Dataset) -> tuple[int, int]:
    _, height, width, _ = data.splits["train"].pictures.shape
    return height, width


def _preprocessing(net: ConvNet) -> Preprocessing:
    mean, std = (tuple(buffer.flatten().tolist()) for buffer in net.normalise.buffers())
    return Preprocessing(mean=mean, std=std)


def _summary(data: Dataset) -> DataSummary:
    return DataSummary(
        sources=data.sources,
        counts={
            name: {
                label: int((split.labels == index).sum())
                for index, label in enumerate(data.classes)
            }
            for name, split in data.splits.items()
        },
        digests={name: split.digest for name, split in data.splits.items()},
        skipped=tuple(file.name for file in data.skipped),
        held_out=data.held_out,
    )
