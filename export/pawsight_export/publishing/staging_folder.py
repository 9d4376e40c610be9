"""Where an export stages its version; what killed exports left there is removed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX: Final = "pawsight-export-"


@contextlib.contextmanager
def staging_folder() -> Iterator[Path]:
    """Return a new folder that goes with its export, or with the next one where that is killed."""
    for abandoned in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        # Somebody else's folder, or one that its export is just removing.
        with contextlib.suppress(OSError):
            _remove_unless_locked(abandoned)
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name, _opened(Path(name)) as folder:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield Path(name)


def _remove_unless_locked(folder: Path) -> None:
    with _opened(folder) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # An empty one may be so new that its export has not locked it yet.
        if any(folder.iterdir()) and os.fstat(descriptor).st_uid == os.geteuid():
            shutil.rmtree(folder)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
