"""A log that keeps nobody waiting: what standard error does not take at once is dropped."""

from __future__ import annotations

import io
import logging
import os
import select
from typing import Final

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

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless that would have to wait."""
        try:
            descriptor = self.stream.fileno()
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
        """Write a record; False where it could not be written, or not to its end."""
        line = f"{self.format(record)}{self.terminator}".encode(errors="backslashreplace")
        writable = select.poll()
        writable.register(descriptor, select.POLLOUT)
        for start in range(0, len(line), _PIECE):
            if not writable.poll(0):
                return False
            os.write(descriptor, line[start : start + _PIECE])
        return True

    @staticmethod
    def _told(dropped: int) -> logging.LogRecord:
        said = "%d lines of the log were dropped: whoever reads it did not take them"
        return logging.LogRecord(__name__, logging.WARNING, "", 0, said, (dropped,), None)
