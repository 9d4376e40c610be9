"""A training from its first to its last line."""

from __future__ import annotations

import logging
import sys
import warnings
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import EarlyStopping, RichProgressBar, WeightAveraging
from lightning.pytorch.loggers import TensorBoardLogger

from pawsight_training.data.loading import Batches
from pawsight_training.errors import RecipeInvalid, RunInvalid, TrainingInterrupted
from pawsight_training.learning.checkpoints import (
    CheckpointFiles,
    checkpoint_to_resume,
    checkpointing,
)
from pawsight_training.learning.features import store_features
from pawsight_training.learning.finishing import finish_run
from pawsight_training.learning.initialisation import starting_net
from pawsight_training.learning.learner import Learner
from pawsight_training.runs.history import History
from pawsight_training.runs.run import HISTORY, TENSORBOARD, Run, load_run
from pawsight_training.runs.run_folder import sole_training

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import Tensor

    from pawsight_training.learning.job import Job


def train(job: Job, out: Path, *, resume: bool = False) -> Run:
    """Train a net and leave a finished run in `out`.

    Args:
        job: what is trained, on what, and where.
        out: the run folder; a new one, or with `resume` one that was begun.
        resume: go on from the last epoch that ended; from the start where none did.

    Raises:
        RunInvalid: `out` is in the way, was begun otherwise, or cannot be written.
        WeightsInvalid: the recipe needs weights, or these do not fit it.
        RecipeInvalid: the recipe does not fit the pictures or the machine.
        TrainingInterrupted: Ctrl-C or SIGTERM.
    """
    recipe, data = job.recipe, job.data
    history = History(out / HISTORY)
    with _clear_errors(out), _quiet():
        trainer = _trainer(job, out, history)
        with sole_training(out) if trainer.is_global_zero else nullcontext():
            checkpoint = checkpoint_to_resume(out, job, resume=resume, first=trainer.is_global_zero)
            net = starting_net(
                recipe, len(data.classes), data.input_size, seed=job.seed, weights=job.weights
            )
            learner = Learner(net, recipe, job.seed, data.input_size)
            if recipe.stored_features:
                data = store_features(net, data, trainer.strategy.root_device)
            batches = Batches(data, recipe.batch_size, job.seed)
            trainer.fit(learner, datamodule=batches, ckpt_path=checkpoint)
            if trainer.is_global_zero:
                finish_run(job, learner, history.rows, out)
            trainer.strategy.barrier()
    return load_run(out)


def _trainer(job: Job, out: Path, history: History) -> pl.Trainer:
    recipe, machine = job.recipe, job.machine
    on_terminal = sys.stdout.isatty()
    callbacks: list[pl.Callback] = [history, *checkpointing(out, job)]
    if recipe.average:
        callbacks.append(WeightAveraging(avg_fn=_moving_average(recipe.average)))
    if recipe.patience:
        stop = _Patience(
            "validation_accuracy",
            mode="max",
            patience=recipe.patience,
            check_on_train_epoch_end=True,
        )
        callbacks.append(stop)
    if on_terminal:
        callbacks.append(RichProgressBar(leave=False))
    try:
        return pl.Trainer(
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
            enable_progress_bar=on_terminal,
            default_root_dir=out,
            logger=TensorBoardLogger(out, name=TENSORBOARD, version=""),
            plugins=[CheckpointFiles()],
            callbacks=callbacks,
        )
    except (MisconfigurationException, ValueError) as error:
        raise RecipeInvalid(
            f"This machine cannot train with accelerator {machine.accelerator!r}, "
            f"{machine.devices} devices and strategy {machine.strategy!r}; "
            "choose what it has with --accelerator, --devices and --strategy."
        ) from error


class _Patience(EarlyStopping):
    """Ends a training that was killed when its patience had run out, and trains it no further."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        trainer.should_stop = self.wait_count >= self.patience


@contextmanager
def _clear_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except SystemExit as error:
        # Lightning makes exits of Ctrl-C and of SIGTERM.
        raise TrainingInterrupted("The training was stopped; go on with --resume.") from error
    except torch.OutOfMemoryError as error:
        raise RecipeInvalid(
            "The device has too little memory for this; give a smaller --batch-size."
        ) from error
    except OSError as error:
        raise RunInvalid(
            f"The run cannot be written to {out} ({error.strerror}); "
            "mend that, and go on with --resume."
        ) from error


def _moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Return the exponential moving average, which leaves alone what does not change.

    Rounding would wear constants away, such as those of the normalisation, and frozen weights.
    """

    def average(before: Tensor, now: Tensor, _: Tensor | int) -> Tensor:
        return torch.where(before == now, before, decay * before + (1 - decay) * now)

    return average


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the notices of Lightning, and the advice that does not hold here."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Pictures come decoded from memory-mapped files: workers would only cost time.
        warnings.filterwarnings("ignore", message=".*does not have many workers")
        # Figures are logged by the epoch, not every so many steps.
        warnings.filterwarnings("ignore", message="The number of training batches")
        # That is what resuming is.
        warnings.filterwarnings("ignore", message="Checkpoint directory .* exists")
        # Lightning's own use of torch, which it has yet to follow.
        warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")
        yield
