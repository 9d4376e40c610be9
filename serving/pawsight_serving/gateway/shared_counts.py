"""The folder of files in which the processes of one gateway count together."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX: Final = "pawsight-metrics-"
# Between the making of a folder and its lock nobody else may take it for abandoned.
_YOUNG_S: Final = 60.0


@contextmanager
def shared_counts() -> Iterator[Path]:
    """Yield a new folder, which is removed at the end.

    A process that is killed leaves its folder behind, but not its lock on it: the folders of this
    user that nobody holds any more are removed first.
    """
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            _remove_abandoned(folder)
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name, _opened(Path(name)) as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield Path(name)


def _remove_abandoned(folder: Path) -> None:
    """Remove a folder; raise `OSError` where somebody holds it."""
    with _opened(folder) as opened:
        found = os.fstat(opened)
        if found.st_uid == os.geteuid() and time.time() - found.st_mtime > _YOUNG_S:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield opened
    finally:
        os.close(opened)
