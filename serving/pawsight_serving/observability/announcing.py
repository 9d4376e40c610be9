"""What a server says on standard output once it serves."""

from __future__ import annotations

import os
import sys

import click

from pawsight_serving.observability.logs import in_form_of_log


def announce(line: object) -> None:
    """Print a line in the form of the log.

    Where standard output takes none, the server serves all the same.
    """
    try:
        click.echo(in_form_of_log(line))
    except OSError:
        # What is left of the line would fail once more when the process ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
