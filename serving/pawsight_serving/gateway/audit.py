"""The prediction log: for each picture its hash, the prediction and the model that made it.

Answers never wait for it: a thread writes, and what it cannot keep up with or has no room for is
dropped and counted.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from pawsight_serving.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pawsight_serving.observability.observed import Observed
    from pawsight_serving.predictions import Predictions

logger = logging.getLogger(__name__)

# Pictures that wait to be hashed; a disk that is so far behind does not catch up.
_MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
_MAX_WAITING: Final = 10_000
_COMPLAIN_EVERY_S: Final = 60.0
# What the end waits for a disk that hangs.
_CLOSE_S: Final = 10.0
# Standard output, and standard error.
_OUTPUTS: Final = (1, 2)


@dataclass(frozen=True, slots=True)
class _Entry:
    time_s: float
    request_id: str
    caller: str
    predictions: Predictions
    pictures: Sequence[Any]

    @property
    def size(self) -> int:
        return sum(len(memoryview(picture).cast("B")) for picture in self.pictures)

    def lines(self) -> bytes:
        made_by = self.predictions
        return b"".join(
            orjson.dumps(
                {
                    "time": datetime.fromtimestamp(self.time_s, UTC).isoformat(),
                    "request_id": self.request_id,
                    "caller": self.caller,
                    "model": made_by.model,
                    "version": made_by.version,
                    "digest": made_by.digest,
                    "picture": f"sha256:{hashlib.sha256(picture).hexdigest()}",
                    "label": each.label,
                    "probabilities": dict(each.probabilities),
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for picture, each in zip(self.pictures, made_by.predictions, strict=False)
        )


class Audit:
    """Appends one line of JSON a picture to a file; a `Listener`.

    The file is opened for each batch of lines, so it may be moved away at any time.

    Args:
        file: where to; it grows to `max_bytes` and no further. It may be a device such as
            `/dev/null`, or this process's own output, `/dev/stdout`.
        max_bytes: what the file may have.
        on_drop: is called with how many answers were dropped, from any thread.

    Raises:
        ConfigurationInvalid: the file cannot be written, or is none.
    """

    def __init__(self, file: Path, max_bytes: int, on_drop: Callable[[int], None]) -> None:
        # A name that is mistyped is found now, and not by whoever needs the lines.
        if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
            raise ConfigurationInvalid(
                "The audit file cannot be written; check its name and who may write it."
            )
        if file.exists() and not _takes_lines(file.stat()):
            raise ConfigurationInvalid(
                "The audit file is a pipe, a socket or a disk, which may keep its writer waiting "
                "for ever; name a file."
            )
        self._file = file
        self._max_bytes = max_bytes
        self._on_drop = on_drop
        self._waiting: deque[_Entry] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        self._dropped = 0
        # Half a line stands at the end of the file.
        self._torn = False
        self._complained_s = -_COMPLAIN_EVERY_S
        self._writer = threading.Thread(target=self._write, name="audit", daemon=True)
        self._writer.start()

    def began(self, observed: Observed) -> None:
        """See `Listener.began`."""

    def ended(self, observed: Observed) -> None:
        """See `Listener.ended`."""

    def predicted(
        self, observed: Observed, predictions: Predictions, pictures: Sequence[Any]
    ) -> None:
        """See `Listener.predicted`."""
        entry = _Entry(time.time(), observed.request_id, observed.caller, predictions, pictures)
        size = entry.size
        with self._changed:
            full = (
                self._waiting_bytes + size > _MAX_WAITING_BYTES
                or len(self._waiting) >= _MAX_WAITING
            )
            if not full:
                self._waiting.append(entry)
                self._waiting_bytes += size
                self._changed.notify()
        if full:
            self._drop(1, "it is written too slowly")

    def close(self) -> None:
        """Write the lines that wait, within a bounded time, and end."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._writer.join(_CLOSE_S)
        if self._writer.is_alive():
            logger.warning(
                "the audit file took nothing for %g s; the last answers are not in it", _CLOSE_S
            )

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                entries = list(self._waiting)
                self._waiting.clear()
                self._waiting_bytes = 0
            if not entries:
                return
            try:
                self._append(entries)
            except OSError as error:
                self._drop(len(entries), error.strerror or "it cannot be written")
            except Exception:
                logger.exception("answers could not be put into lines")
                self._drop(len(entries), "they could not be put into lines")

    def _append(self, entries: Sequence[_Entry]) -> None:
        lines = b"".join(entry.lines() for entry in entries)
        if self._torn:
            lines = b"\n" + lines
        if self._file.exists() and not _takes_lines(self._file.stat()):
            self._drop(len(entries), "something else has taken the file's place; move it away")
            return
        with self._file.open("ab", buffering=0) as file:
            if file.seekable() and file.tell() + len(lines) > self._max_bytes:
                self._drop(len(entries), "the file is full; move it away")
                return
            written = file.write(lines)
            if written == len(lines):
                self._torn = False
            elif written:
                self._torn = True
            if written != len(lines):
                self._drop(len(entries), "the disk is full")

    def _drop(self, entries: int, why: str) -> None:
        with self._changed:
            self._dropped += entries
            dropped, now_s = self._dropped, time.monotonic()
            complains = now_s - self._complained_s >= _COMPLAIN_EVERY_S
            if complains:
                self._complained_s = now_s
        self._on_drop(entries)
        if complains:
            logger.error("the audit file misses %d answers by now: %s", dropped, why)


def _takes_lines(status: os.stat_result) -> bool:
    """Return whether this is a file, a device of characters, or what this process writes to."""
    if stat.S_ISREG(status.st_mode) or stat.S_ISCHR(status.st_mode):
        return True
    for output in _OUTPUTS:
        # One that was closed.
        with suppress(OSError):
            if os.path.samestat(status, os.fstat(output)):
                return True
    return False
