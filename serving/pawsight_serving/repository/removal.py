"""Taking versions out of a repository: renamed first, so that nobody reads half of one."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Final

from pawsight_serving.repository.directory import is_version

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_REMAINS: Final = re.compile(r"\.\d+\.(part|removed)")


def remove_others(graph: Path, kept: Collection[str]) -> None:
    """Remove the versions of a graph's folder that are not kept."""
    for folder in sorted(graph.iterdir()):
        if folder.is_dir() and is_version(folder.name) and folder.name not in kept:
            removed = graph / f".{folder.name}.removed"
            folder.rename(removed)
            shutil.rmtree(removed)


def remove_remains(graph: Path) -> None:
    """Remove what a command that was killed left half copied or half removed."""
    for folder in graph.iterdir():
        if _REMAINS.fullmatch(folder.name):
            shutil.rmtree(folder)
