"""Whether a folder can be made or written, found out without writing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def fault_of(folder: Path) -> str:
    """Return what keeps a folder from being made or written; empty where nothing does."""
    place = folder.absolute()
    nearest = next(each for each in (place, *place.parents) if os.path.lexists(each))
    if not nearest.is_dir():
        return f"{nearest} is no folder"
    if not os.access(nearest, os.R_OK | os.W_OK | os.X_OK):
        return f"{nearest} may not be written"
    return ""
