"""A folder that the tests' process may not look into, such as `lost+found` of a volume."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


def forbid(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbid looking into a folder; to root, whom nothing is forbidden, `Path` forbids it."""
    folder.chmod(0)
    if not os.access(folder, os.R_OK):
        return
    look = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        if path == folder:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return look(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
