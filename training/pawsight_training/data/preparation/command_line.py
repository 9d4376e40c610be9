"""`pawsight data`: it sorts pictures, and needs no PyTorch for that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pawsight_training.data.preparation.sources import find_labelled, find_oxford_pets
from pawsight_training.data.preparation.splits import prepare as prepare_splits
from pawsight_training.options import one_sentence, seed_option

if TYPE_CHECKING:
    from pawsight_training.data.preparation.splits import Report


_SIZE: Final = "Pictures of each class."


@click.group()
def data() -> None:
    """Make data sets to train on."""


@data.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("destination", metavar="DEST", type=click.Path(path_type=Path))
@click.option(
    "--source",
    "layout",
    type=click.Choice(["folder", "oxford-pets"]),
    default="folder",
    show_default=True,
    help="oxford-pets downloads Oxford-IIIT Pet into SOURCE first.",
)
@click.option("--train", type=click.IntRange(0), default=1000, show_default=True, help=_SIZE)
@click.option("--validation", type=click.IntRange(0), default=500, show_default=True, help=_SIZE)
@click.option("--test", type=click.IntRange(0), default=500, show_default=True, help=_SIZE)
@seed_option
@one_sentence
def prepare(*, source: Path, destination: Path, layout: str, seed: int, **sizes: int) -> None:
    """Copy good pictures of SOURCE into DEST/train, validation and test.

    SOURCE has Kaggle's layout (cat.0.jpg) or a folder a class (PetImages/Cat). So many pictures
    of each class are taken; unreadable, repeated and mislabelled ones are listed and left out.
    """
    found = find_oxford_pets(source) if layout == "oxford-pets" else find_labelled(source)
    _print(prepare_splits(found, destination, sizes, seed=seed), destination)


def _print(report: Report, destination: Path) -> None:
    """Print what was left out of a data set, and where it is."""
    for kind, files in (
        ("without a class", report.unlabelled),
        ("unreadable", report.unreadable),
        ("repeated", report.duplicates),
        ("nearly repeated", report.near_duplicates),
        ("mislabelled by name", report.mislabelled),
        ("the same under two labels", report.conflicting),
    ):
        if files:
            click.echo(f"{len(files)} {kind}, as {next(iter(files))}")
    clean = ", ".join(f"{count} of {label}" for label, count in report.clean.items())
    chosen = ", ".join(f"{split} {size}" for split, size in report.chosen.items())
    click.echo(f"Good pictures: {clean}; of each class: {chosen}.")
    click.echo(f"{destination} is ready; its report.json names every file that was left out.")
