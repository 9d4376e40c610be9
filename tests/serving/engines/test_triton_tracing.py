"""A trace goes on into the real Triton, whose spans lie below the request's."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pawsight_serving.engines.triton import TritonEngine
from pawsight_serving.observability.observation import Observer
from pawsight_serving.observability.tracing import Tracing
from pawsight_serving.requests.deadlines import Deadline
from tests.serving.tiny_repository import SIDE, publish_tiny
from tests.serving.triton_process import running_triton
from tests.serving.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pawsight_serving.triton_server.environment import Environment

TRACE, PARENT = "a" * 32, "b" * 16


class Collector(ThreadingHTTPServer):
    """Takes traces over HTTP as a collector does, and keeps them by their service."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.spans: list[tuple[str, dict[str, Any]]] = []


class Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        for each in json.loads(body)["resourceSpans"]:
            named = {item["key"]: item["value"] for item in each["resource"]["attributes"]}
            service = named["service.name"]["stringValue"]
            for scope in each["scopeSpans"]:
                self.server.spans += [(service, span) for span in scope["spans"]]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def collecting() -> Iterator[tuple[Collector, str]]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        try:
            yield collector, f"http://127.0.0.1:{collector.server_port}/v1/traces"
        finally:
            collector.shutdown()
            thread.join()


@pytest.mark.triton
async def test_a_trace_goes_on_into_triton(tmp_path: Path, triton_environment: Environment) -> None:
    publish_tiny(tmp_path)
    exporter = InMemorySpanExporter()
    tracing = Tracing("test", exporter)
    with (
        collecting() as (collector, endpoint),
        running_triton(tmp_path, "0", "0", "--trace-endpoint", endpoint) as triton,
    ):
        engine = TritonEngine(triton.grpc)
        await engine.start()

        def ours() -> list[dict[str, Any]]:
            return [
                span
                for service, span in list(collector.spans)
                if service == "pawsight-triton" and span["traceId"].lower() == TRACE
            ]

        # Triton sends its spans every five seconds; on a loaded machine it was seen to lose some.
        for _ in range(4):
            with Observer(tracing).request("grpc", "predict", "mine", f"00-{TRACE}-{PARENT}-01"):
                image = np.zeros((1, SIDE, SIDE, 3), np.uint8)
                await engine.infer("tiny", "1", image, ["probabilities"], Deadline.after(20))
            with suppress(TimeoutError):
                await until(lambda: bool(ours()), 20)
                break
        await engine.close()
    tracing.close()
    requests = {f"{span.context.span_id:016x}" for span in exporter.get_finished_spans()}
    assert requests & {span["parentSpanId"].lower() for span in ours()}, collector.spans
