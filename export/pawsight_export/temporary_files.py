"""Graphs are built and tried out in temporary files, and a folder for these may be full."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pawsight_export.errors import TemporaryFilesUnwritable

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def temporary_files() -> Iterator[None]:
    """Tell in one sentence of temporary files that cannot be written.

    Raises:
        TemporaryFilesUnwritable: there is no folder for them, or no space in it.
    """
    try:
        yield
    except BrokenPipeError:
        # Nobody reads any longer what is told meanwhile.
        raise
    except OSError as error:
        raise TemporaryFilesUnwritable(
            f"Temporary files cannot be written ({error.strerror or error}); free some space "
            "where they go, or name another folder for them in the variable TMPDIR."
        ) from error
