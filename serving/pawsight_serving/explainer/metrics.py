"""The explainer's metrics for Prometheus; the gateway's `/metrics` shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from pawsight_serving.observability.event_loop import unfinished_tasks
from pawsight_serving.observability.observation import TIME_BOUNDS_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pawsight_serving.observability.observed import Observed
    from pawsight_serving.predictions import Predictions
    from pawsight_serving.requests.admission import Admission


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
            buckets=TIME_BOUNDS_S,
            registry=self._registry,
        )
        self._model_ready = Gauge(
            "pawsight_explainer_model_ready",
            "Whether the explainer's engine answers for this model: 1 or 0.",
            ("model",),
            registry=self._registry,
        )
        tasks = Gauge(
            "pawsight_explainer_tasks",
            "Unfinished asyncio tasks; constant when idle, so growth means a leak.",
            registry=self._registry,
        )
        tasks.set_function(unfinished_tasks)

    def began(self, observed: Observed) -> None:
        """See `Listener.began`."""

    def ended(self, observed: Observed) -> None:
        """See `Listener.ended`."""
        self._requests.labels(observed.explanation or observed.method, observed.code).inc()
        for stage, seconds in observed.seconds.items():
            self._seconds.labels(stage).observe(seconds)

    def predicted(
        self, observed: Observed, predictions: Predictions, pictures: Sequence[object]
    ) -> None:
        """See `Listener.predicted`; the gateway counts them."""

    def saw_readiness(self, models: Mapping[str, bool]) -> None:
        """Record which models answer."""
        for model, answers in models.items():
            self._model_ready.labels(model).set(answers)

    def watch(self, admission: Admission) -> None:
        """Add the requests in flight, waiting ones included, and the number of those refused."""
        in_flight = Gauge(
            "pawsight_explainer_in_flight", "Requests in flight.", registry=self._registry
        )
        in_flight.set_function(lambda: admission.in_flight)
        self._registry.register(_Refusals(admission))

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)


class _Refusals(Collector):
    """A counter whose value the admission knows; `Counter` counts by itself alone."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    def collect(self) -> Iterator[CounterMetricFamily]:
        yield CounterMetricFamily(
            "pawsight_explainer_refused",
            "Requests refused, as too many were in flight.",
            value=self._admission.refused,
        )
