"""Temporary folders that go with their process; what killed ones left is removed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Yield a new folder that goes with its process, or with the next one where that is killed.

    Args:
        prefix: how the names begin of what the same kind of process makes.
    """
    for abandoned in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        # Somebody else's folder, or one that its process is just removing.
        with contextlib.suppress(OSError):
            _remove_unless_locked(abandoned)
    with tempfile.TemporaryDirectory(prefix=prefix) as name, _opened(Path(name)) as folder:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield Path(name)


def _remove_unless_locked(folder: Path) -> None:
    with _opened(folder) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # An empty one may be so new that its process has not locked it yet.
        if any(folder.iterdir()) and os.fstat(descriptor).st_uid == os.geteuid():
            shutil.rmtree(folder)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
