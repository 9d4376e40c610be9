"""`pawsight repository`: what is published, is it whole, back to an earlier version, filters."""

from __future__ import annotations

import sys
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pawsight_serving.command_errors import told_in_one_sentence
from pawsight_serving.errors import PawsightError
from pawsight_serving.options import REPOSITORY_OPTION
from pawsight_serving.repository.adding_filters import add_filters
from pawsight_serving.repository.directory import (
    graph_path,
    model_names,
    nothing_published,
    published_versions,
    read_manifest,
)
from pawsight_serving.repository.rollback import roll_back, rollback_command
from pawsight_serving.repository.served import served_versions
from pawsight_serving.repository.verification import verify as verify_repository

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pawsight_serving.repository.manifest import Manifest

_DAMAGED: Final = ("damaged", "see: pawsight repository verify")


class _OneSentence(click.Group):
    """Ends every command of the group with its error's sentence."""

    def invoke(self, ctx: click.Context) -> object:
        with told_in_one_sentence():
            return super().invoke(ctx)


@click.group(cls=_OneSentence)
def repository() -> None:
    """Look after a model repository."""


@repository.command("list", short_help="List every version.")
@REPOSITORY_OPTION
def list_versions(repository: Path) -> None:
    """List every version: is it served, what is it, how well does it do."""
    rows: list[tuple[str, ...]] = [
        ("model", "version", "served", "precision", "engine", "MB", "created", "accuracy")
    ]
    for name in model_names(repository):
        try:
            published = published_versions(repository, name)
        except PawsightError as error:
            click.echo(str(error), err=True)
            continue
        try:
            served = served_versions(repository, name)
        except PawsightError:
            rows += [(name, version, "?", *_DAMAGED) for version in published]
            continue
        for version in published:
            rows.append((name, version, "yes" if version in served else "no"))
            try:
                rows[-1] += _described(repository, read_manifest(repository, name, version))
            except (PawsightError, OSError):
                rows[-1] += _DAMAGED
    if len(rows) == 1:
        raise nothing_published(repository)
    _print(rows)


def _described(repository: Path, manifest: Manifest) -> tuple[str, ...]:
    """Return what a row says of a version; OSError where a graph's file is not there."""
    size = sum(graph_path(repository, manifest, g).stat().st_size for g in manifest.graphs)
    accuracies = [
        f"{found['accuracy']:.1%} ({kind})"
        for kind, found in manifest.metrics.items()
        if "accuracy" in found
    ]
    return (
        manifest.precision,
        manifest.engine,
        f"{size / 1e6:.1f}",
        f"{manifest.created:%Y-%m-%d %H:%M}",
        *accuracies[-1:],
    )


@repository.command(short_help="Recompute every digest.")
@REPOSITORY_OPTION
@click.argument("name", default="")
def verify(repository: Path, name: str) -> None:
    """Compute every digest of every version again, of one model where NAME is given.

    Exit status 1 where anything is not what was published.
    """
    found = verify_repository(repository, name)
    if not found:
        raise nothing_published(repository)
    for each in found:
        for fault in each.faults:
            click.echo(f"{each}: {fault}", err=True)
        if not each.faults and each.version:
            click.echo(f"{each}: whole")
    if any(each.faults for each in found):
        sys.exit(1)


@repository.command(short_help="Go back to an earlier version.")
@REPOSITORY_OPTION
@click.argument("name")
@click.option(
    "--to",
    metavar="VERSION",
    help="The version to serve as the newest [default: the one before the newest].",
)
def rollback(repository: Path, name: str, to: str | None) -> None:
    """Serve an earlier version of NAME again; what is above it stays until the next export."""
    before, after = roll_back(repository, name, to)
    was = f"it was {before}" if before else "none was"
    click.echo(f"{name}: version {after} is now the newest that is served; {was}.")
    if before not in ("", after):
        limit = ", until the next export removes it" if int(before) > int(after) else ""
        click.echo(f"Back to it{limit}, with: {rollback_command(repository, name, before)}")


@repository.command("add-filters", short_help="Publish pictures of filters with a version.")
@REPOSITORY_OPTION
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--version", default="", help="[default: the newest that is served]")
def add(repository: Path, name: str, folder: Path, version: str) -> None:
    """Publish what `pawsight filters` drew in FOLDER with a version of NAME that is there already.

    Its graphs stay as they are, and so does every picture that was published before.
    """
    version, layers = add_filters(repository, name, folder, version)
    click.echo(f"{name} version {version} has the filters of {', '.join(layers)}.")


def _print(rows: Sequence[Sequence[str]]) -> None:
    # What is damaged has fewer cells.
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        click.echo("  ".join(cells).rstrip())
