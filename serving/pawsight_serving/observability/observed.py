"""What is known of one request: what it asks for, how it ended, how long each stage took."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Final

QUEUE: Final = "queue"
"""The stage of waiting for a thread."""
# A stream's stages are as many as its pictures; its first ones tell enough.
_MAX_SPANS: Final = 32


@dataclass(frozen=True, slots=True)
class Span:
    """A stage's time, in nanoseconds since the epoch."""

    name: str
    start_ns: int
    end_ns: int


@dataclass(slots=True)
class Observed:
    """One request.

    `code` is `OK` or the error's; `seconds` holds each stage's time, where waiting for a thread
    counts as the stage `queue` and not as the stage that waited; `explanation` is the method of
    explanation, where one was asked for.

    Threads add times to it. They may do so after the request has ended, when its caller has left;
    what they add then is ignored.
    """

    protocol: str
    method: str
    request_id: str
    traceparent: str = ""
    span: object = None
    caller: str = ""
    explanation: str = ""
    model: str = ""
    version: str = ""
    pictures: int = 0
    code: str = "OK"
    started_ns: int = field(default_factory=time.time_ns)
    started_s: float = field(default_factory=time.perf_counter)
    total_s: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)

    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _ended: bool = False

    def add(self, name: str, seconds: float) -> None:
        """Add time to a stage."""
        with self._lock:
            self._add(name, seconds)

    def times(self) -> dict[str, float]:
        """Return the seconds of each stage so far."""
        with self._lock:
            return dict(self.seconds)

    def add_stage(self, span: Span, elapsed_s: float, before: dict[str, float]) -> None:
        """Add a stage that has ended, less the time that other stages counted meanwhile.

        Args:
            span: when it was.
            elapsed_s: how long it took.
            before: `times` at its start.
        """
        with self._lock:
            # Pictures of one request wait side by side, together perhaps for longer than the stage.
            if QUEUE in self.seconds and not self._ended:
                queued_s = before.get(QUEUE, 0.0) + elapsed_s
                self.seconds[QUEUE] = min(self.seconds[QUEUE], queued_s)
            within_s = sum(self.seconds.values()) - sum(before.values())
            self._add(span.name, max(0.0, elapsed_s - within_s))
            if len(self.spans) < _MAX_SPANS and not self._ended:
                self.spans.append(span)

    def end(self) -> None:
        """Fix the total time; later calls change nothing."""
        with self._lock:
            self.total_s = time.perf_counter() - self.started_s
            self._ended = True

    def _add(self, name: str, seconds: float) -> None:
        if not self._ended:
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds
