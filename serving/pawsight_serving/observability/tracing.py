"""Traces for OpenTelemetry: one span per request, one per stage, joined across processes."""

from __future__ import annotations

import threading
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from pawsight_serving.errors import Overloaded, PackageMissing, RequestError, every_error
from pawsight_serving.observability.observation import CANCELLED, TRACEPARENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace.export import SpanExporter

    from pawsight_serving.observability.observed import Observed
    from pawsight_serving.predictions import Predictions


# By OpenTelemetry's conventions for HTTP and gRPC a server has not failed where its caller asks
# wrongly or too often, or leaves: rates of failures would be those of callers.
_NO_FAILURES: Final = frozenset(
    {"OK", CANCELLED, Overloaded.code, *(kind.code for kind in every_error(RequestError))}
)
_LAST_CHANCE_S: Final = 2.0


class Tracing:
    """Makes spans of requests and their stages; a `Listener`.

    Args:
        service: name of this process in the traces.
        exporter: where they go.

    Raises:
        ConfigurationInvalid: OpenTelemetry is not installed.
    """

    def __init__(self, service: str, exporter: SpanExporter) -> None:
        from opentelemetry import trace
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation import tracecontext

        self._api = trace
        self._exporter = exporter
        self._propagator = tracecontext.TraceContextTextMapPropagator()
        named = {SERVICE_NAME: service, SERVICE_VERSION: version("pawsight")}
        self._provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("pawsight")

    @classmethod
    def to(cls, service: str, endpoint: str) -> Tracing:
        """Send traces by OTLP over gRPC, to `http://HOST:PORT` or, over TLS, `https://…`.

        Raises:
            PackageMissing: OpenTelemetry is not installed.
        """
        try:
            from pawsight_serving.observability.trace_collector import TraceCollector
        except ModuleNotFoundError as error:
            raise PackageMissing("Tracing", "OpenTelemetry", "tracing") from error
        return cls(service, TraceCollector(endpoint))

    def began(self, observed: Observed) -> None:
        """See `Listener.began`."""
        parent = self._propagator.extract({TRACEPARENT: observed.traceparent})
        span = self._tracer.start_span(
            f"{observed.protocol} {observed.method}".strip(),
            parent,
            kind=self._api.SpanKind.SERVER,
            start_time=observed.started_ns,
        )
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, self._api.set_span_in_context(span))
        observed.traceparent = carrier[TRACEPARENT]
        observed.span = span

    def ended(self, observed: Observed) -> None:
        """See `Listener.ended`."""
        span: Any = observed.span
        here = self._api.set_span_in_context(span)
        for stage in observed.spans:
            child = self._tracer.start_span(stage.name, here, start_time=stage.start_ns)
            child.end(stage.end_ns)
        span.update_name(f"{observed.protocol} {observed.method}")
        span.set_attributes(
            {
                "pawsight.request_id": observed.request_id,
                "pawsight.code": observed.code,
                "pawsight.model": observed.model,
                "pawsight.version": observed.version,
                "pawsight.pictures": observed.pictures,
            }
        )
        if observed.code not in _NO_FAILURES:
            span.set_attribute("error.type", observed.code)
            span.set_status(self._api.StatusCode.ERROR, observed.code)
        span.end()

    def predicted(
        self, observed: Observed, predictions: Predictions, pictures: Sequence[Any]
    ) -> None:
        """See `Listener.predicted`."""

    def close(self) -> None:
        """Send the spans that wait, within a bounded time, and end."""
        # The provider's own bounds leave out the attempts that its exporter makes of each batch.
        given_up = threading.Timer(_LAST_CHANCE_S, self._exporter.shutdown)
        given_up.start()
        self._provider.shutdown()
        given_up.cancel()
