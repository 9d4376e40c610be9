"""What the commands of training print."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from pawsight_training.runs.layers import describe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pawsight_training.architectures import ConvNet
    from pawsight_training.data.dataset import Dataset
    from pawsight_training.evaluation.evaluation import Evaluation
    from pawsight_training.runs.run import Run


def dataset(data: Dataset) -> None:
    """Print the splits, what was skipped, and which pictures make a figure too good."""
    for name, split in data.splits.items():
        click.echo(f"{name}: {len(split)} pictures of {', '.join(data.classes)}")
    if data.held_out:
        click.echo("There is no validation folder: a tenth of train is held out.")
    skipped(data)
    for name, repeated in data.repeated().items():
        click.echo(
            f"{len(repeated)} pictures of {name} are in a split before it too, as {repeated[0]}: "
            "its figures will be too good; take them out of one of the two.",
            err=True,
        )


def skipped(data: Dataset) -> None:
    """Name the files that could not be read, on standard error."""
    for file in data.skipped:
        click.echo(f"Skipped {file.name}: {file.reason}", err=True)


def layers(net: ConvNet, title: str, input_size: tuple[int, int]) -> None:
    """Print the table of a net's layers."""
    rows = describe(net, input_size)
    table = Table("layer", "kind", "output", "parameters", "trainable", title=title)
    for row in rows:
        shape = "x".join(map(str, row.output))
        table.add_row(row.name, row.kind, shape, f"{row.parameters:,}", f"{row.trainable:,}")
    total, trainable = sum(row.parameters for row in rows), sum(row.trainable for row in rows)
    table.add_section()
    table.add_row("in all", "", "", f"{total:,}", f"{trainable:,}")
    Console().print(table)


def result(run: Run) -> None:
    """Print how well a finished run does, and where it is."""
    manifest = run.manifest
    for split, metrics in manifest.metrics.items():
        click.echo(f"{split}: accuracy {metrics['accuracy']:.2%}, loss {metrics['loss']:.4f}")
    click.echo(
        f"Weights of epoch {manifest.best_epoch} of {manifest.epochs_trained} are in {run.path}."
    )


def figures(
    evaluations: Mapping[str, Evaluation], classes: Sequence[str], *, as_json: bool
) -> None:
    """Print the figures of each split, for people or for programs."""
    if as_json:
        answer = {
            name: {**evaluation.metrics, "confusion": evaluation.confusion.tolist()}
            for name, evaluation in evaluations.items()
        }
        click.echo(json.dumps({"classes": list(classes), "splits": answer}, indent=2))
        return
    for name, evaluation in evaluations.items():
        metrics = evaluation.metrics
        click.echo(
            f"{name}: {len(evaluation.labels)} pictures, accuracy {metrics['accuracy']:.2%}, "
            f"loss {metrics['loss']:.4f}, ROC AUC {metrics['roc_auc']:.4f}, "
            f"calibration error {metrics['calibration_error']:.4f}"
        )
        for label, row in zip(classes, evaluation.confusion, strict=True):
            taken = ", ".join(f"{count} as {of}" for count, of in zip(row, classes, strict=True))
            click.echo(f"  {label}: {taken}")
