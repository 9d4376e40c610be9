from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceServicer
from opentelemetry.sdk.trace.export import SpanExportResult

from pawsight_serving.observability.trace_collector import TraceCollector
from tests.serving.trace_server import collecting

if TYPE_CHECKING:
    from collections.abc import Iterator

QUEUE = logging.getLogger("opentelemetry.sdk.queue")


class Refusing(TraceServiceServicer):
    """Refuses traces as a collector that is down does, until it is up."""

    def __init__(self) -> None:
        self.up = False
        self.asked = 0

    def Export(  # noqa: N802
        self, request: ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> ExportTraceServiceResponse:
        self.asked += 1
        if not self.up:
            # At once is when to try again.
            context.set_trailing_metadata((("google.rpc.retryinfo-bin", b""),))
            context.abort(grpc.StatusCode.UNAVAILABLE, "out for lunch")
        return ExportTraceServiceResponse()


@pytest.fixture
def refusing() -> Iterator[tuple[Refusing, TraceCollector]]:
    refusing = Refusing()
    with collecting(refusing) as url:
        collector = TraceCollector(url)
        yield refusing, collector
        collector.shutdown()


def test_a_collector_that_takes_nothing_is_told_once_and_once_when_it_does(
    refusing: tuple[Refusing, TraceCollector], caplog: pytest.LogCaptureFixture
) -> None:
    server, collector = refusing
    caplog.set_level(logging.INFO)
    assert [collector.export([]) for _ in range(3)] == [SpanExportResult.FAILURE] * 3
    assert server.asked > 3
    (told,) = caplog.messages
    assert "check that a collector runs there" in told
    assert "UNAVAILABLE" in told
    assert "out for lunch" in told
    server.up = True
    assert [collector.export([]) for _ in range(2)] == [SpanExportResult.SUCCESS] * 2
    assert caplog.messages[1:] == [f"traces reach {collector._endpoint} again"]
    server.up = False
    collector.export([])
    assert caplog.messages[2:] == [told]


def test_what_is_dropped_meanwhile_is_not_told_again_and_again(
    refusing: tuple[Refusing, TraceCollector], caplog: pytest.LogCaptureFixture
) -> None:
    server, collector = refusing
    for server.up in (False, True, False):
        collector.export([])
        QUEUE.warning("full, up %s", server.up)
    collector.shutdown()
    QUEUE.warning("full at the end")
    assert [each for each in caplog.messages if "full" in each] == [
        "full, up True",
        "full at the end",
    ]


def test_it_ends_without_a_word_though_it_was_given_up_before(
    refusing: tuple[Refusing, TraceCollector], caplog: pytest.LogCaptureFixture
) -> None:
    _, collector = refusing
    collector.shutdown()
    collector.shutdown()
    assert caplog.messages == []
