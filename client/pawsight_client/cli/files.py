"""Pictures that come from files or the standard input, and drawings that go the other way."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pawsight_client import OptionInvalid
from pawsight_client._pictures import read_all
from pawsight_client._results import check_drawing_file

if TYPE_CHECKING:
    from pawsight_client import Explanation

STANDARD: Final = "-"
"""Stands for the standard input or output, where a file's name is expected."""
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def shown(name: str) -> str:
    """Return a file's name on one line, without what would command the terminal."""
    return _CONTROLS.sub(lambda control: repr(control[0])[1:-1], name)


def picture_from(name: str) -> str | bytes:
    """Return what a client takes: the name of a file, or all that the standard input holds."""
    if name != STANDARD:
        return name
    # Python has no such stream where the program was started with it closed.
    return b"" if sys.stdin is None else read_all(sys.stdin.buffer)


def check_out(
    ctx: click.Context,  # noqa: ARG001 - click's signature
    param: click.Parameter,  # noqa: ARG001 - click's signature
    value: str,
) -> str:
    """Refuse what no drawing can be written to before one is asked for: it may take minutes."""
    try:
        check_drawing_file(value)
    except OptionInvalid as error:
        raise click.BadParameter(str(error)) from error
    if not value:
        raise click.BadParameter("Name a file; - is the standard output.")
    if Path(value).is_dir():
        raise click.BadParameter(f"{value!r} cannot be written: it is a folder; name a file in it.")
    if not (folder := Path(value).parent).is_dir():
        raise click.BadParameter(
            f"{value!r} cannot be written: make the folder {str(folder)!r} first."
        )
    return value


def save(explanation: Explanation, out: str) -> None:
    """Write an explanation's drawing to a file, or to the standard output.

    Raises:
        OptionInvalid: the file cannot be written, or the standard output is closed.
    """
    if out == STANDARD:
        if sys.stdout is None:
            raise OptionInvalid("The standard output is closed; give --out a file's name.")
        sys.stdout.buffer.write(explanation.sheet_png or explanation.overlay_png)
    else:
        explanation.save(out)


def tell(line: str, out: str) -> None:
    """Print a line where it does not get into the drawing."""
    click.echo(line, err=out == STANDARD)
