"""Where traces go: a collector, of which the log says once that it takes none, and once the end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from opentelemetry.exporter.otlp.proto.grpc import exporter as otlp
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

_logger: Final = logging.getLogger(__name__)
# OpenTelemetry's own loggers: the first writes of every attempt, the second while a queue is full.
_attempts: Final = logging.getLogger(otlp.__name__)
_queue: Final = logging.getLogger("opentelemetry.sdk")


class TraceCollector(SpanExporter):
    """Sends spans by OTLP over gRPC.

    Args:
        endpoint: `http://HOST:PORT` or, over TLS, `https://…`.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._exporter = OTLPSpanExporter(endpoint, insecure=endpoint.startswith("http://"))
        self._takes = True
        self._reason = ""
        self._ended = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; try again for some seconds where that may help."""
        _attempts.addFilter(self._keep_reason)
        try:
            result = self._exporter.export(spans)
        finally:
            _attempts.removeFilter(self._keep_reason)
        takes = result is SpanExportResult.SUCCESS
        if takes != self._takes:
            self._takes = takes
            _queue.setLevel(logging.NOTSET if takes else logging.ERROR)
            if takes:
                _logger.info("traces reach %s again", self._endpoint)
            else:
                _logger.warning(
                    "Traces do not reach %s and are lost until they do; check that a collector "
                    "runs there. OpenTelemetry says: %s",
                    self._endpoint,
                    self._reason,
                )
        return result

    def shutdown(self) -> None:
        """End; what is under way is given up, and what still comes is lost."""
        if self._ended:
            return
        self._ended = True
        self._exporter.shutdown()
        _queue.setLevel(logging.NOTSET)

    def _keep_reason(self, record: logging.LogRecord) -> bool:
        self._reason = record.getMessage()
        return False
