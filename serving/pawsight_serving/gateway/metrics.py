"""What the gateway tells Prometheus."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from pawsight_serving.errors import InternalError, PawsightError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pawsight_serving.admission import Admission
    from pawsight_serving.readiness import Readiness

_BUCKETS_S: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)


class Metrics:
    """Counts and times the core's work."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "pawsight_requests",
            "Requests, by what was asked for and the code of the outcome.",
            ("method", "code"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "pawsight_request_seconds",
            "Time from the whole request to the whole answer, in seconds.",
            ("method",),
            buckets=_BUCKETS_S,
            registry=self._registry,
        )

    @contextmanager
    def request(self, method: str) -> Iterator[None]:
        """Time the body and count its outcome."""
        started_s, code = time.perf_counter(), "OK"
        try:
            yield
        except PawsightError as error:
            code = error.code
            raise
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        except Exception:
            code = InternalError.code
            raise
        finally:
            self._requests.labels(method, code).inc()
            self._seconds.labels(method).observe(time.perf_counter() - started_s)

    def watch(self, readiness: Readiness, **admissions: Admission) -> None:
        """Show readiness, and of each method how many requests are in flight or were refused."""
        ready = Gauge(
            "pawsight_ready", "Whether every model answers: 1 or 0.", registry=self._registry
        )
        ready.set_function(lambda: readiness.ready)
        in_flight = Gauge(
            "pawsight_in_flight", "Requests in flight.", ("method",), registry=self._registry
        )
        refused = Gauge(
            "pawsight_refused",
            "Requests refused since the start, as too many were in flight.",
            ("method",),
            registry=self._registry,
        )
        for method, admission in admissions.items():
            refused.labels(method).set_function(partial(getattr, admission, "refused"))
            in_flight.labels(method).set_function(partial(getattr, admission, "in_flight"))

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)
