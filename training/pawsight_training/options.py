"""What the commands of training share: option types, and how errors end them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import click

from pawsight_serving.command_errors import told_in_one_sentence
from pawsight_training.errors import TrainingError, TrainingInterrupted

if TYPE_CHECKING:
    from collections.abc import Callable

INTERRUPTED = 130
CLASSES_HELP = "Class names instead of the folders', in their order, as a,b."
RECIPES_OWN = "Default: the recipe's."
CACHE_HELP = "Folder for decoded pictures."
P = ParamSpec("P")

# Those that numpy and torch both take.
seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Of random numbers.",
)
data_folders = click.option(
    "--data",
    "folders",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="Folder with train/, validation/, test/, or of class folders; may be repeated.",
)


class InputSize(click.ParamType[tuple[int, int]]):
    """(height, width) in pixels, given as one side or as HEIGHTxWIDTH."""

    name = "side|hxw"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Read "150" or "120x160"."""
        if isinstance(value, tuple):
            return value
        height, cross, width = str(value).partition("x")
        try:
            size = int(height), int(width if cross else height)
        except ValueError:
            self.fail(f"{value!r} is neither a side in pixels nor HEIGHTxWIDTH.", param, ctx)
        if min(size) < 1:
            self.fail("The sides must be at least 1 pixel.", param, ctx)
        return size


def class_names(text: str | None) -> tuple[str, ...]:
    """Return the names that `--classes` gives, as "cat, dog"; none where it is not given."""
    return tuple(name.strip() for name in text.split(",")) if text else ()


def one_sentence(command: Callable[P, None]) -> Callable[P, None]:
    """Turn the errors of training into one sentence and an exit code; see `told_in_one_sentence`.

    What was interrupted ends with its sentence as it is, and the exit code of that.
    """

    @functools.wraps(command)
    @told_in_one_sentence(TrainingError)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (KeyboardInterrupt, TrainingInterrupted) as error:
            click.echo(str(error) or "Stopped.", err=True)
            raise SystemExit(INTERRUPTED) from None

    return wrapped
