"""A trace goes from caller to gateway to sidecar, whatever the protocol."""

from __future__ import annotations

import threading
from importlib.metadata import version
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceServicer
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import PawsightStub
from pawsight_serving.observability import tracing as tracing_module
from pawsight_serving.observability.observation import Observer, failed_with, outgoing, stage
from pawsight_serving.observability.tracing import Tracing
from tests.serving.fakes import FakeEngine, picture
from tests.serving.gateway.test_main import explaining, make_settings, running
from tests.serving.trace_server import collecting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import Span
    from opentelemetry.sdk.trace import ReadableSpan

TRACE, PARENT = "a" * 32, "b" * 16
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> Iterator[Tracing]:
    tracing = Tracing("test", exporter)
    yield tracing
    tracing.close()


def spans(tracing: Tracing, exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    tracing._provider.force_flush()
    return {span.name: span for span in exporter.get_finished_spans()}


def test_a_request_joins_its_callers_trace_and_hands_it_on(
    tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    with Observer(tracing).request("grpc", "predict", "mine", TRACEPARENT):
        ((key, handed_on),) = outgoing()
        with stage("decode"):
            pass
    made = spans(tracing, exporter)
    request, decode = made["grpc predict"], made["decode"]
    assert f"{request.context.trace_id:032x}" == TRACE
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == PARENT
    assert (key, handed_on) == ("traceparent", f"00-{TRACE}-{request.context.span_id:016x}-01")
    assert decode.parent is not None
    assert decode.parent.span_id == request.context.span_id
    assert request.attributes is not None
    assert request.attributes["pawsight.request_id"] == "mine"
    assert request.start_time is not None
    assert decode.start_time is not None
    assert request.start_time <= decode.start_time


def test_without_a_caller_a_trace_begins_here_and_failures_show(
    tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    with Observer(tracing).request("http", "", "mine") as observed:
        observed.method = "explain"
        failed_with("EXPLAINER_UNAVAILABLE")
    request = spans(tracing, exporter)["http explain"]
    assert request.parent is None
    assert request.status.description == "EXPLAINER_UNAVAILABLE"
    assert request.attributes is not None
    assert request.attributes["error.type"] == "EXPLAINER_UNAVAILABLE"


@pytest.mark.parametrize("code", ["LAYER_UNKNOWN", "UNAUTHENTICATED", "OVERLOADED", "CANCELLED"])
def test_what_is_the_callers_doing_is_no_failure_of_the_server(
    tracing: Tracing, exporter: InMemorySpanExporter, code: str
) -> None:
    with Observer(tracing).request("http", "explain", "mine"):
        failed_with(code)
    request = spans(tracing, exporter)["http explain"]
    assert request.status.is_unset
    assert request.attributes is not None
    assert request.attributes["pawsight.code"] == code
    assert "error.type" not in request.attributes


def test_traces_name_the_service_and_its_version(
    tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    with Observer(tracing).request("http", "predict", "mine"):
        pass
    resource = spans(tracing, exporter)["http predict"].resource
    assert resource.attributes["service.name"] == "test"
    assert resource.attributes["service.version"] == version("pawsight")


def test_an_exporter_that_fails_harms_no_request(exporter: InMemorySpanExporter) -> None:
    class Failing(InMemorySpanExporter):
        def export(self, *_: object) -> SpanExportResult:
            return SpanExportResult.FAILURE

    tracing = Tracing("test", Failing())
    with Observer(tracing).request("http", "predict", "mine"):
        pass
    tracing.close()


def test_an_exporter_that_goes_on_trying_does_not_keep_a_process_from_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Trying(InMemorySpanExporter):
        def __init__(self) -> None:
            super().__init__()
            self.ended, self.given_up = threading.Event(), False

        def export(self, *_: object) -> SpanExportResult:
            self.given_up = self.ended.wait(20)
            return SpanExportResult.FAILURE

        def shutdown(self) -> None:
            self.ended.set()

    monkeypatch.setattr(tracing_module, "_LAST_CHANCE_S", 0.1)
    exporter = Trying()
    tracing = Tracing("test", exporter)
    with Observer(tracing).request("http", "predict", "mine"):
        pass
    tracing.close()
    assert exporter.given_up


class Collector(TraceServiceServicer):
    """Takes traces as a collector does, and keeps them."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Span]] = []

    def Export(  # noqa: N802
        self, request: ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> ExportTraceServiceResponse:
        for each in request.resource_spans:
            attributes = {item.key: item.value.string_value for item in each.resource.attributes}
            for scope in each.scope_spans:
                self.spans += [(attributes["service.name"], span) for span in scope.spans]
        return ExportTraceServiceResponse()


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    collector = Collector()
    with collecting(collector) as url:
        yield collector, url


async def test_gateway_and_sidecar_are_one_trace_over_both_protocols(
    collector: tuple[Collector, str],
) -> None:
    collected, endpoint = collector
    other = "c" * 32
    async with (
        explaining(trace_endpoint=endpoint) as explainer,
        running(make_settings(explainer=explainer, trace_endpoint=endpoint), FakeEngine()) as here,
        httpx.AsyncClient(base_url=f"http://{here.http}") as http,
        grpc.aio.insecure_channel(str(here.grpc)) as channel,
    ):
        path, red = "/v1/models/tiny:explain", picture("red")
        headers = {"traceparent": TRACEPARENT}
        answer = await http.post(path, content=red, headers=headers)
        assert answer.status_code == 200
        assert "explain;dur=" in answer.headers["server-timing"]
        assert "render;dur=" in answer.headers["server-timing"]
        metadata = (("traceparent", TRACEPARENT.replace(TRACE, other)),)
        request = pb.ExplainRequest(images=[red], rendering=pb.RENDERING_PNG)
        await PawsightStub(channel).Explain(request, metadata=metadata)
    for trace, first in ((TRACE, "http explain"), (other, "grpc explain")):
        ours = [
            (service, span) for service, span in collected.spans if span.trace_id.hex() == trace
        ]
        (gateway,) = [span for service, span in ours if (service, span.name) == ("pawsight", first)]
        (sidecar,) = [
            span
            for service, span in ours
            if span.name == "grpc explain" and service == "pawsight-explainer"
        ]
        assert gateway.parent_span_id.hex() == PARENT
        assert sidecar.parent_span_id == gateway.span_id
