"""One request as it is seen from outside: its outcome, its time by stage, its answers.

An edge opens an `Observed` for each request; stages deep inside find it by `stage` without its
being handed through, and whoever listens hears of it at the end.
"""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.predictions import Predictions

    Picture = bytes | NDArray[np.uint8]
    """A picture as it came: encoded, or pixels."""

TRACEPARENT: Final = "traceparent"
QUEUE: Final = "queue"
TIME_BOUNDS_S: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
"""Between which bounds the times of requests are counted."""
CANCELLED: Final = "CANCELLED"
REFUSED: Final = "refused"
"""What stands for the method of a request that ended before it had one."""

_TRACEPARENT: Final = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
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

    def add(self, name: str, seconds: float) -> None:
        """Count time for a stage."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


class Listener(Protocol):
    """Who hears of requests."""

    def began(self, observed: Observed) -> None:
        """Hear of a request at its start."""

    def ended(self, observed: Observed) -> None:
        """Hear of it at its end."""

    def predicted(
        self, observed: Observed, predictions: Predictions, pictures: Sequence[Picture]
    ) -> None:
        """Hear of an answer, and of the pictures that it is about, as they came."""


_CURRENT: ContextVar[Observed | None] = ContextVar("observed", default=None)
# Over gRPC the key is seen before the method that opens the request.
_CALLER: ContextVar[str] = ContextVar("caller", default="")


def current() -> Observed | None:
    """Return the request that this code works for; None where it works for none."""
    return _CURRENT.get()


def identified_as(name: str) -> None:
    """Note whose key came with the request that this code works for, or is about to."""
    _CALLER.set(name)
    if (observed := current()) is not None:
        observed.caller = name


def explaining_by(method: str) -> None:
    """Note by which method the request that this code works for is explained."""
    if (observed := current()) is not None:
        observed.explanation = method


def failed_with(code: str) -> None:
    """Note that the request that this code works for fails."""
    if (observed := current()) is not None:
        observed.code = code


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time the body as a stage of the request that it works for."""
    observed = current()
    if observed is None:
        yield
        return
    started_s, started_ns = time.perf_counter(), time.time_ns()
    others_s, queued_s = sum(observed.seconds.values()), observed.seconds.get(QUEUE, 0.0)
    try:
        yield
    finally:
        elapsed_s = time.perf_counter() - started_s
        # Pictures of one request wait side by side, so their waits may be longer than the stage.
        if QUEUE in observed.seconds:
            observed.seconds[QUEUE] = min(observed.seconds[QUEUE], queued_s + elapsed_s)
        within_s = sum(observed.seconds.values()) - others_s
        observed.add(name, max(0.0, elapsed_s - within_s))
        if len(observed.spans) < _MAX_SPANS:
            observed.spans.append(Span(name, started_ns, started_ns + int(elapsed_s * 1e9)))


def timing() -> str:
    """Return the stages' times so far, as the header `Server-Timing` has them."""
    observed = current()
    if observed is None:
        return ""
    return ", ".join(f"{name};dur={s * 1e3:.2f}" for name, s in observed.seconds.items())


def heard_timing(text: str, name: str) -> None:
    """Count the time of one stage of another process, which said it by `timing`."""
    observed, found = current(), re.search(rf"\b{name};dur=(\d+\.\d+)", text)
    if observed is not None and found is not None:
        observed.add(name, float(found[1]) / 1e3)


def outgoing() -> tuple[tuple[str, str], ...]:
    """Return the metadata by which the next process joins the trace of this request."""
    observed = current()
    return ((TRACEPARENT, observed.traceparent),) if observed and observed.traceparent else ()


class Observer:
    """Opens requests, and tells its listeners."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    @contextmanager
    def request(
        self, protocol: str, method: str, request_id: str, traceparent: str | None = None
    ) -> Iterator[Observed]:
        """Observe the body as one request; `traceparent` is the caller's, if it sent one."""
        observed = Observed(protocol, method, request_id, caller=_CALLER.get())
        if traceparent is not None and _TRACEPARENT.fullmatch(traceparent):
            observed.traceparent = traceparent
        _CURRENT.set(observed)
        for listener in self._listeners:
            listener.began(observed)
        try:
            yield observed
        finally:
            observed.total_s = time.perf_counter() - observed.started_s
            for listener in self._listeners:
                listener.ended(observed)
            _CURRENT.set(None)
            _CALLER.set("")

    def refused(self, protocol: str, request_id: str, code: str, waited_s: float = 0.0) -> None:
        """Tell of a request that ended before it was known what it asks for.

        Args:
            protocol: "http" or "grpc".
            request_id: the request's.
            code: why it ended.
            waited_s: seconds since it began.
        """
        with self.request(protocol, REFUSED, request_id) as observed:
            observed.code = code
            observed.started_s -= waited_s

    def predicted(self, predictions: Predictions, pictures: Sequence[Picture] = ()) -> None:
        """Tell of an answer to the request that this code works for."""
        observed = current()
        if observed is None:
            return
        observed.model, observed.version = predictions.model, predictions.version
        observed.pictures += len(predictions.predictions)
        for listener in self._listeners:
            listener.predicted(observed, predictions, pictures)
