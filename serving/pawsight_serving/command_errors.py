"""How an error ends a command that is no server: by its sentence and an exit status."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from pawsight_serving.errors import PawsightError
from pawsight_serving.options import refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def told_in_one_sentence(*others: type[Exception]) -> Iterator[None]:
    """Turn errors into "Error: " with their sentence, and exit status 1; a decorator, too.

    A `PAWSIGHT_*` variable that nothing reads is refused before anything is done, with exit
    status 2.

    Args:
        others: roots of error trees beside that of `PawsightError`, whose text is a sentence too.
    """
    refuse_unknown(os.environ)
    roots: tuple[type[Exception], ...] = (PawsightError, *others)
    try:
        yield
    except roots as error:
        raise click.ClickException(str(error)) from error
