"""What the explainer tells Prometheus, by way of the gateway's `/metrics`."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
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
    from collections.abc import Iterator, Sequence

    from pawsight_serving.admission import Admission
    from pawsight_serving.observation import Observed
    from pawsight_serving.predictions import Predictions

_BUCKETS_S: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)


class ExplainerMetrics:
    """Counts explanations and times their stages; a `Listener`.

    Every name begins with `pawsight_explainer`, so that the text can follow the gateway's own.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(namespace="pawsight_explainer", registry=self._registry)
        self._requests = Counter(
            "pawsight_explainer_requests",
            "Requests, by method of explanation and the code of the outcome.",
            ("method", "code"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "pawsight_explainer_stage_seconds",
            "Time that a request spent in a stage: decode, queue, inference or render.",
            ("stage",),
            buckets=_BUCKETS_S,
            registry=self._registry,
        )

    @contextmanager
    def request(self, method: str) -> Iterator[None]:
        """Count the body's outcome."""
        code = "OK"
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

    def began(self, observed: Observed) -> None:
        """See `Listener.began`."""

    def ended(self, observed: Observed) -> None:
        """See `Listener.ended`."""
        for stage, seconds in observed.seconds.items():
            self._seconds.labels(stage).observe(seconds)

    def predicted(
        self, observed: Observed, predictions: Predictions, pictures: Sequence[object]
    ) -> None:
        """See `Listener.predicted`; the gateway counts them."""

    def watch(self, admission: Admission) -> None:
        """Show how many requests are in, waiting ones included, and how many were refused."""
        in_flight = Gauge(
            "pawsight_explainer_in_flight", "Requests in flight.", registry=self._registry
        )
        in_flight.set_function(lambda: admission.in_flight)
        refused = Gauge(
            "pawsight_explainer_refused",
            "Requests refused since the start, as too many were in flight.",
            registry=self._registry,
        )
        refused.set_function(lambda: admission.refused)

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)
