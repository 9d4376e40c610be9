"""One request as it is seen from outside: its outcome, its time by stage, its answers.

An edge opens an `Observed` for each request; stages deep inside find it by `stage` without its
being handed through, and whoever listens hears of it at the end.
"""

from __future__ import annotations

import logging
import re
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol

from pawsight_serving.observed import Observed, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.predictions import Predictions

    Picture = bytes | NDArray[np.uint8]
    """A picture as it came: encoded, or pixels."""

logger = logging.getLogger(__name__)

TRACEPARENT: Final = "traceparent"
TIME_BOUNDS_S: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
"""Between which bounds the times of requests are counted."""
CANCELLED: Final = "CANCELLED"
REFUSED: Final = "refused"
"""What stands for the method of a request that ended before it had one."""

_TRACEPARENT: Final = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


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
    before, started_s, started_ns = observed.times(), time.perf_counter(), time.time_ns()
    try:
        yield
    finally:
        elapsed_s = time.perf_counter() - started_s
        span = Span(name, started_ns, started_ns + int(elapsed_s * 1e9))
        observed.add_stage(span, elapsed_s, before)


def timing() -> str:
    """Return the stages' times so far, as the header `Server-Timing` has them."""
    observed = current()
    if observed is None:
        return ""
    return ", ".join(f"{name};dur={s * 1e3:.2f}" for name, s in observed.times().items())


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
    """Opens requests, and tells its listeners; one that fails is logged, and harms no request."""

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
        self._tell(lambda listener: listener.began(observed))
        try:
            yield observed
        finally:
            observed.end()
            self._tell(lambda listener: listener.ended(observed))
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
        self._tell(lambda listener: listener.predicted(observed, predictions, pictures))

    def _tell(self, what: Callable[[Listener], None]) -> None:
        for listener in self._listeners:
            try:
                what(listener)
            except Exception:
                logger.exception("a listener failed; the request goes on without it")
