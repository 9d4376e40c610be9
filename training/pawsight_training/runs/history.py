"""The figures of every epoch: on the screen, in `history.csv`, and in the checkpoint."""

from __future__ import annotations

import csv
import math
import time
from typing import TYPE_CHECKING, Any, Final

import lightning.pytorch as pl

from pawsight_training.errors import RecipeInvalid

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS: Final = (
    "epoch",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "learning_rate",
    "seconds",
)
Row = dict[str, float]


class History(pl.Callback):
    """Keeps one row an epoch.

    The rows travel in the checkpoint, so that a resumed training writes the same file again,
    without the epochs that the kill undid.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Row] = []
        self._started_s = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Start the clock of the epoch."""
        self._started_s = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add the row of the epoch, after its validation.

        Raises:
            RecipeInvalid: a figure is no number.
        """
        figures = {
            "epoch": trainer.current_epoch + 1,
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "seconds": round(time.monotonic() - self._started_s, 3),
        } | {name: value.item() for name, value in trainer.callback_metrics.items()}
        row = {column: figures[column] for column in COLUMNS}
        # Before the checkpoint is written: the last one that is good stays.
        if not all(map(math.isfinite, row.values())):
            raise RecipeInvalid(
                f"In epoch {row['epoch']} the loss is no longer a number: the training has "
                "diverged. Train again with a lower --learning-rate."
            )
        self.rows.append(row)
        if trainer.is_global_zero:
            self._write()
            pl_module.print(_line(self.rows[-1], trainer.max_epochs), flush=True)

    def state_dict(self) -> dict[str, Any]:
        """Return the rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the rows of a checkpoint."""
        self.rows = list(state_dict["rows"])

    def _write(self) -> None:
        partial = self.path.with_suffix(".part")
        with partial.open("w", newline="") as out:
            writer = csv.DictWriter(out, COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)
        partial.replace(self.path)


def _line(row: Row, epochs: int | None) -> str:
    return (
        f"epoch {row['epoch']:>3.0f}/{epochs}  "
        f"loss {row['train_loss']:.4f}  accuracy {row['train_accuracy']:.1%}  "
        f"validation loss {row['validation_loss']:.4f}  "
        f"accuracy {row['validation_accuracy']:.1%}  {row['seconds']:.1f} s"
    )
