"""What metrics, log, traces and audit learn of each request: outcome, times by stage, predictions.

An edge opens an `Observed` for each request. Code further inside finds it in a context variable,
so that it need not be passed as an argument; at the end every `Listener` is called with it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from pawsight_serving.observability.observed import Observed, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.predictions import Predictions

    Picture = bytes | NDArray[np.uint8]
    """A picture as it came: encoded, or pixels."""

logger = logging.getLogger(__name__)

TRACEPARENT: Final = "traceparent"
TIME_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Between which bounds the times of requests are counted."""
CANCELLED: Final = "CANCELLED"
REFUSED: Final = "refused"
"""What stands for the method of a request that ended before it had one."""

_TRACEPARENT: Final = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Listener(Protocol):
    """Is called as requests begin, predict and end: the metrics, the log, the traces, the audit."""

    def began(self, observed: Observed) -> None:
        """Be called when a request begins."""

    def ended(self, observed: Observed) -> None:
        """Be called when a request has ended."""

    def predicted(
        self, observed: Observed, predictions: Predictions, pictures: Sequence[Picture]
    ) -> None:
        """Be called with a request's predictions and its pictures, as they were sent."""


_CURRENT: ContextVar[Observed | None] = ContextVar("observed", default=None)
# Over gRPC the key is seen before the method that opens the request.
_CALLER: ContextVar[str] = ContextVar("caller", default="")


def current() -> Observed | None:
    """Return the request that the running code serves; None where it serves none."""
    return _CURRENT.get()


def identified_as(name: str) -> None:
    """Record the name of the API key of the current request, or of the one about to begin."""
    _CALLER.set(name)
    if (observed := current()) is not None:
        observed.caller = name


def explaining_by(method: str) -> None:
    """Record the method of explanation of the current request."""
    if (observed := current()) is not None:
        observed.explanation = method


def failed_with(code: str) -> None:
    """Record the error code that the current request fails with."""
    if (observed := current()) is not None:
        observed.code = code


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time the `with` body as a stage of the current request."""
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
    """Return the times of the stages so far, in the form of the header `Server-Timing`."""
    observed = current()
    if observed is None:
        return ""
    return ", ".join(f"{name};dur={s * 1e3:.2f}" for name, s in observed.times().items())


def merge_timing(text: str, name: str) -> None:
    """Add a stage's time in another process to the current request.

    Args:
        text: what `timing` returned there.
        name: the stage.
    """
    observed, found = current(), re.search(rf"\b{name};dur=(\d+\.\d+)", text)
    if observed is not None and found is not None:
        observed.add(name, float(found[1]) / 1e3)


def outgoing() -> tuple[tuple[str, str], ...]:
    """Return the gRPC metadata that lets the next process join the trace of this request."""
    observed = current()
    return ((TRACEPARENT, observed.traceparent),) if observed and observed.traceparent else ()


class Observer:
    """Observes requests and calls its listeners.

    A listener that fails is logged, and the request goes on.
    """

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    @contextmanager
    def request(
        self,
        protocol: str,
        method: str,
        request_id: str,
        traceparent: str | None = None,
        *,
        sent_afterwards: bool = False,
    ) -> Iterator[Observed]:
        """Observe the `with` body as one request.

        Args:
            protocol: "http" or "grpc".
            method: what is asked for.
            request_id: the request's.
            traceparent: the caller's, if it sent one.
            sent_afterwards: whether the answer is sent only when the body has ended. The listeners
                then hear of its end when the event loop turns next, as the caller waits for it.
        """
        observed = Observed(protocol, method, request_id, caller=_CALLER.get())
        if traceparent is not None and _TRACEPARENT.fullmatch(traceparent):
            observed.traceparent = traceparent
        _CURRENT.set(observed)
        self._tell(lambda listener: listener.began(observed))
        try:
            yield observed
        finally:
            observed.end()
            tell = partial(self._tell, lambda listener: listener.ended(observed))
            if sent_afterwards:
                asyncio.get_running_loop().call_soon(tell)
            else:
                tell()
            _CURRENT.set(None)
            _CALLER.set("")

    def refused(self, protocol: str, request_id: str, code: str, waited_s: float = 0.0) -> None:
        """Report a request that was refused before its method was known.

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
        """Report predictions of the current request to the listeners."""
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
