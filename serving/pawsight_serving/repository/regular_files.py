"""Reading what a repository holds without waiting for it: a pipe would be waited on for ever."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def read_regular_file(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        FileNotFoundError: there is none, or a folder, a pipe or a device has its name.
        OSError: it cannot be read.
    """
    # Without it, to open a pipe is to wait for whoever writes into it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileNotFoundError(errno.ENOENT, "No regular file", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)
