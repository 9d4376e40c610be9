"""Figures that the processes of one gateway count each for itself, and tell together."""

from __future__ import annotations

import hashlib
import os
import secrets
import struct
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pawsight_serving.gateway.metrics import SHARED_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

Figures = tuple[int, ...]


class SharedFigures:
    """Rows of as many whole numbers, one for each key and process, in small files of one folder.

    What a process that has ended had counted stays.

    Args:
        folder: of this gateway's processes alone.
        numbers: how many a row has.
    """

    def __init__(self, folder: Path, numbers: int) -> None:
        self._folder = folder
        self._row = struct.Struct(f"<{numbers}q")
        self._process = secrets.token_hex(8)

    @classmethod
    def of_this_gateway(cls, numbers: int) -> SharedFigures | None:
        """Return those of the processes that count metrics together; None where this is the one."""
        folder = os.environ.get(SHARED_FOLDER)
        return None if folder is None else cls(Path(folder), numbers)

    def write(self, key: str, figures: Figures) -> None:
        """Keep this process's row; where the disk does not take it, the one before stays."""
        path = self._folder / f"{_name(key)}-{self._process}.figures"
        with suppress(OSError):
            # Opened each time: versions come and go for as long as the process lives.
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                # In one step, and in the place of the row before: a reader finds one of the two.
                os.pwrite(file, self._row.pack(*figures), 0)
            finally:
                os.close(file)

    def of_others(self, key: str) -> Iterator[Figures]:
        """Yield the rows of the other processes."""
        for path in self._folder.glob(f"{_name(key)}-*.figures"):
            if self._process not in path.name:
                row = path.read_bytes()
                # One that has just been made is empty still.
                if len(row) == self._row.size:
                    yield self._row.unpack(row)


def _name(key: str) -> str:
    """Return a name for files: a key may hold whatever a folder of models may be called."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]
