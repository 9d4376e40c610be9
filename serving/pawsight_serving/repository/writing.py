"""Changing a repository while others read it: one writer a model, and no half of a file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import threading
from typing import TYPE_CHECKING

from pawsight_serving.errors import RepositoryBusy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@contextlib.contextmanager
def exclusive_writer(root: Path, name: str) -> Iterator[None]:
    """Keep other writers of a model out; a writer that died keeps nobody out.

    Raises:
        RepositoryBusy: another process is writing, or has just taken the model's folder away.
        OSError: the folder cannot be opened.
    """
    busy = RepositoryBusy(
        f"{name} is being published or changed by another command; try again when it is done."
    )
    try:
        folder = os.open(root / name, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError as error:
        raise busy from error
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A first publication that failed removes the folder: this may hold what nobody sees.
            held = os.path.samestat(os.fstat(folder), (root / name).stat())
        except (BlockingIOError, FileNotFoundError) as error:
            raise busy from error
        if not held:
            raise busy
        yield
    finally:
        os.close(folder)


@contextlib.contextmanager
def signals_deferred() -> Iterator[None]:
    """Put Ctrl-C and SIGTERM off until what is done here is done; for what takes moments.

    A change of several files that is broken off is put back, and a second Ctrl-C would break that
    off too.
    """
    came: list[int] = []
    before = {}
    # Python lets the main thread alone handle signals, and interrupts no other one.
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            # What was not set from Python could not be put back.
            if signal.getsignal(number) is not None:
                before[number] = signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def replace_file(path: Path, data: bytes) -> None:
    """Write a file that readers see as it was or as it shall be, even after a crash."""
    if path.is_file() and path.read_bytes() == data:
        return
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


@contextlib.contextmanager
def restored_on_failure(paths: Sequence[Path]) -> Iterator[None]:
    """Where what is done fails, put files back as they were, and remove those that were not there.

    The earlier files are copied first: to put them back takes no room on a disk that is full.
    """
    copies = {path: path.with_name(f".{path.name}.earlier") for path in paths if path.exists()}
    try:
        for path, copy in copies.items():
            shutil.copyfile(path, copy)
        try:
            yield
        except BaseException:
            for path in paths:
                if path in copies:
                    copies[path].replace(path)
                else:
                    path.unlink(missing_ok=True)
            raise
    finally:
        for copy in copies.values():
            copy.unlink(missing_ok=True)


def flush_folder(folder: Path) -> None:
    """Wait until a folder's entries are on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
