"""A log that keeps nobody waiting: what standard error does not take at once is dropped."""

from __future__ import annotations

import io
import logging
import os
import select
import stat
from contextlib import suppress
from typing import Any, Final

# A pipe that takes anything takes so much at once (POSIX, `PIPE_BUF`; Linux has a page).
_PIECE: Final = 4096


class LossyHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes records to standard error, and says how many it had to drop.

    A pipe that nobody reads is full after some hundred requests. Who waits for it in the event loop
    answers nobody any more, and does not even end when told to.
    """

    def __init__(self) -> None:
        super().__init__()
        self._dropped = 0
        # Of a line that was taken up to here.
        self._rest = b""
        self._pipe = _opened_again(self.stream)

    def close(self) -> None:
        """Close the pipe, where it was opened again."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless that would have to wait."""
        try:
            descriptor = self.stream.fileno() if self._pipe is None else self._pipe
        except (AttributeError, io.UnsupportedOperation, ValueError):
            # Something else stands in its place, such as a test's own.
            super().emit(record)
            return
        try:
            if self._dropped and self._write(descriptor, self._told(self._dropped)):
                self._dropped = 0
            if self._dropped or not self._write(descriptor, record):
                self._dropped += 1
        except Exception:  # noqa: BLE001 - as `StreamHandler` has it: a log must not fail its caller
            self.handleError(record)

    def _write(self, descriptor: int, record: logging.LogRecord) -> bool:
        """Write a record, or its beginning; False where nothing of it was taken."""
        # The next line begins where the one before it has ended.
        self._rest = self._rest[_taken(descriptor, self._rest) :]
        if self._rest:
            return False
        line = f"{self.format(record)}{self.terminator}".encode(errors="backslashreplace")
        taken = _taken(descriptor, line)
        if taken:
            self._rest = line[taken:]
        return taken > 0

    @staticmethod
    def _told(dropped: int) -> logging.LogRecord:
        said = "%d lines of the log were dropped: whoever reads it did not take them"
        return logging.LogRecord(__name__, logging.WARNING, "", 0, said, (dropped,), None)


def _taken(descriptor: int, line: bytes) -> int:
    """Write a line as far as it is taken at once, and return how many bytes were."""
    writable = select.poll()
    writable.register(descriptor, select.POLLOUT)
    taken = 0
    while taken < len(line) and writable.poll(0):
        try:
            taken += os.write(descriptor, line[taken : taken + _PIECE])
        except BlockingIOError:
            # Another process of ours has filled it meanwhile.
            break
    return taken


def _opened_again(stream: Any) -> int | None:
    """Return a pipe opened once more, so as not to wait for it; None where it is something else.

    As it was opened it is shared with other programs, which may want to wait.
    """
    with suppress(AttributeError, OSError, ValueError):
        descriptor = stream.fileno()
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK)
    return None
