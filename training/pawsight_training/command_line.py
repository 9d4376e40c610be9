"""The commands of training; the `pawsight` program lists them."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import click
from rich.console import Console
from rich.table import Table

from pawsight_training.architectures import build
from pawsight_training.dataset import Dataset, load_dataset
from pawsight_training.errors import TrainingError, TrainingInterrupted
from pawsight_training.folders import list_pictures
from pawsight_training.layers import describe
from pawsight_training.machine import Machine, best_precision
from pawsight_training.recipes import RECIPES, Recipe
from pawsight_training.run import Run, is_finished, load_run

if TYPE_CHECKING:
    from collections.abc import Callable

INTERRUPTED = 130


class _InputSize(click.ParamType):
    name = "SIDE|HxW"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        try:
            height, _, width = str(value).partition("x")
            size = int(height), int(width or height)
        except ValueError:
            self.fail(f"{value!r} is neither a side in pixels nor HEIGHTxWIDTH.", param, ctx)
        if min(size) < 1:
            self.fail("the sides must be at least 1 pixel.", param, ctx)
        return size


P = ParamSpec("P")


def _one_sentence(command: Callable[P, None]) -> Callable[P, None]:
    """Turn the errors of training into one sentence and an exit code."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except TrainingInterrupted as error:
            click.echo(str(error), err=True)
            raise SystemExit(INTERRUPTED) from None
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
            raise SystemExit(INTERRUPTED) from None
        except TrainingError as error:
            raise click.ClickException(str(error)) from None

    return wrapped


@click.command()
@click.argument("recipe", type=click.Choice(list(RECIPES)))
@click.option(
    "--data",
    "folders",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="Folder with train/, validation/, test/, or of class folders; may be repeated.",
)
@click.option("--out", type=click.Path(path_type=Path), help="The run folder to write.")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
@click.option("--dry-run", is_flag=True, help="Print the layers and stop.")
@click.option("--classes", help="Class names instead of the folders', as a,b.")
@click.option("--epochs", type=int)
@click.option("--batch-size", type=int)
@click.option("--learning-rate", type=float)
@click.option("--schedule", type=click.Choice(["constant", "one-cycle", "cosine"]))
@click.option("--dropout", type=float)
@click.option("--average", type=float, metavar="DECAY", help="Keep a moving average of weights.")
@click.option("--patience", type=int, help="Stop after so many epochs without improvement.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--input-size", type=_InputSize(), default="150", show_default=True)
@click.option("--cache", type=click.Path(path_type=Path), help="Folder for decoded pictures.")
@click.option(
    "--precision", type=click.Choice(["32", "bf16"]), help="Default: what is fastest here."
)
@click.option("--accelerator", default="auto", show_default=True)
@click.option("--devices", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--nodes", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--strategy", default="auto", show_default=True)
@_one_sentence
def train(
    *,
    recipe: str,
    folders: tuple[Path, ...],
    out: Path | None,
    resume: bool,
    dry_run: bool,
    classes: str | None,
    seed: int,
    input_size: tuple[int, int],
    cache: Path | None,
    **options: Any,
) -> None:
    """Train a net by a RECIPE on folders of pictures."""
    chosen = _override(RECIPES[recipe], options)
    names = tuple(classes.split(",")) if classes else ()
    if dry_run:
        known = list_pictures(folders, seed=seed, classes=names).classes
        _show_layers(chosen, len(known), input_size)
        return
    if out is None:
        raise click.UsageError("Missing option '--out': name the run folder to write.")
    if resume and is_finished(out):
        _show_result(load_run(out))
        return
    machine = Machine(
        accelerator=options["accelerator"],
        devices=options["devices"],
        nodes=options["nodes"],
        strategy=options["strategy"],
        precision=options["precision"] or best_precision(options["accelerator"]),
    )
    data = load_dataset(folders, input_size, cache=cache, classes=names, seed=seed)
    _show_data(data)
    # Lightning takes seconds to import: not before the options and the data are known good.
    from pawsight_training import training

    run = training.train(recipe, chosen, data, out, seed=seed, machine=machine, resume=resume)
    _show_result(run)


def _override(recipe: Recipe, options: dict[str, Any]) -> Recipe:
    fields = {field.name for field in dataclasses.fields(recipe)}
    given = {name: value for name, value in options.items() if name in fields and value is not None}
    return dataclasses.replace(recipe, **given)


def _show_data(data: Dataset) -> None:
    for name, split in data.splits.items():
        click.echo(f"{name}: {len(split)} pictures of {', '.join(data.classes)}")
    if data.held_out:
        click.echo("There is no validation folder: a tenth of train is held out.")
    for file in data.skipped:
        click.echo(f"Skipped {file.name}: {file.reason}", err=True)


def _show_layers(recipe: Recipe, classes: int, input_size: tuple[int, int]) -> None:
    net = build(recipe.architecture, classes, input_size, recipe.dropout)
    layers = describe(net, input_size)
    table = Table("layer", "kind", "output", "parameters", "trainable", title=recipe.architecture)
    for layer in layers:
        shape = "x".join(map(str, layer.output))
        table.add_row(
            layer.name, layer.kind, shape, f"{layer.parameters:,}", f"{layer.trainable:,}"
        )
    total, trainable = (
        sum(layer.parameters for layer in layers),
        sum(layer.trainable for layer in layers),
    )
    table.add_section()
    table.add_row("in all", "", "", f"{total:,}", f"{trainable:,}")
    Console().print(table)


def _show_result(run: Run) -> None:
    manifest = run.manifest
    for split, metrics in manifest.metrics.items():
        click.echo(f"{split}: accuracy {metrics['accuracy']:.2%}, loss {metrics['loss']:.4f}")
    click.echo(
        f"Weights of epoch {manifest.best_epoch} of {manifest.epochs_trained} are in {run.path}."
    )
