"""What a server says on standard output once it serves."""

from __future__ import annotations

import os
import sys

import click


def announce(line: object) -> None:
    """Print a line; where standard output takes none, the server serves all the same."""
    try:
        click.echo(line)
    except OSError:
        # What is left of the line would fail once more when the process ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
