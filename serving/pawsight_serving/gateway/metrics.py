"""The gateway's metrics for Prometheus."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from pawsight_serving.errors import Overloaded
from pawsight_serving.observability.event_loop import unfinished_tasks
from pawsight_serving.observability.observation import TIME_BOUNDS_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pawsight_serving.observability.observed import Observed
    from pawsight_serving.predictions import Predictions

SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Variable that makes the processes of one gateway count together, in files of this folder."""

_BATCHES: Final = (1, 2, 4, 8, 16, 32, 64)
_SCORES: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)


class Metrics:
    """Counts and times requests; a `Listener`."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._several = SHARED_FOLDER in os.environ
        if not self._several:
            ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "pawsight_requests",
            "Requests, by protocol, by what was asked for and by the code of the outcome.",
            ("protocol", "method", "code"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "pawsight_request_seconds",
            "Time from the request to the whole answer, in seconds.",
            ("protocol", "method"),
            buckets=TIME_BOUNDS_S,
            registry=self._registry,
        )
        self._stages = Histogram(
            "pawsight_stage_seconds",
            "Time of a request in a stage: decode, queue, inference, explain or render.",
            ("stage",),
            buckets=TIME_BOUNDS_S,
            registry=self._registry,
        )
        self._refused = Counter(
            "pawsight_refused",
            "Requests refused, as too many were in flight.",
            ("protocol", "method"),
            registry=self._registry,
        )
        self._in_flight = Gauge(
            "pawsight_in_flight",
            "Requests in flight.",
            ("protocol",),
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._batches = Histogram(
            "pawsight_batch_pictures",
            "Pictures of one pass through a model.",
            ("model",),
            buckets=_BATCHES,
            registry=self._registry,
        )
        self._predictions = Counter(
            "pawsight_predictions",
            "Predictions, by class: a share that drifts says that the pictures have changed.",
            ("model", "version", "label"),
            registry=self._registry,
        )
        self._scores = Histogram(
            "pawsight_prediction_score",
            "Probability of the predicted class.",
            ("model", "version", "label"),
            buckets=_SCORES,
            registry=self._registry,
        )
        self._unaudited = Counter(
            "pawsight_audit_dropped",
            "Answers that the audit file misses.",
            registry=self._registry,
        )
        self._ready = Gauge(
            "pawsight_ready",
            "Whether every model that is loaded answers: 1 or 0.",
            registry=self._registry,
            multiprocess_mode="livemin",
        )
        self._tasks = Gauge(
            "pawsight_tasks",
            "Unfinished asyncio tasks; constant when idle, so growth means a leak.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._model_ready = Gauge(
            "pawsight_model_ready",
            "Whether the engine answers for this model: 1 or 0.",
            ("model",),
            registry=self._registry,
            multiprocess_mode="livemin",
        )

    def began(self, observed: Observed) -> None:
        """See `Listener.began`."""
        self._in_flight.labels(observed.protocol).inc()

    def ended(self, observed: Observed) -> None:
        """See `Listener.ended`."""
        protocol, method = observed.protocol, observed.method
        self._in_flight.labels(protocol).dec()
        self._requests.labels(protocol, method, observed.code).inc()
        self._seconds.labels(protocol, method).observe(observed.total_s)
        if observed.code == Overloaded.code:
            self._refused.labels(protocol, method).inc()
        for stage, seconds in observed.seconds.items():
            self._stages.labels(stage).observe(seconds)

    def predicted(
        self,
        observed: Observed,  # noqa: ARG002
        predictions: Predictions,
        pictures: Sequence[object],  # noqa: ARG002
    ) -> None:
        """See `Listener.predicted`."""
        model, version = predictions.model, predictions.version
        self._batches.labels(model).observe(len(predictions.predictions))
        for each in predictions.predictions:
            self._predictions.labels(model, version, each.label).inc()
            self._scores.labels(model, version, each.label).observe(each.score)

    def missed_in_audit(self, answers: int) -> None:
        """Count answers that the audit could not write."""
        self._unaudited.inc(answers)

    def saw_readiness(self, models: dict[str, bool], *, ready: bool) -> None:
        """Record which models answer, and whether the server is ready."""
        self._ready.set(ready)
        for model, answers in models.items():
            self._model_ready.labels(model).set(answers)

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format, of all processes of this gateway."""
        self._tasks.set(unfinished_tasks())
        if not self._several:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
