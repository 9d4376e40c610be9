from __future__ import annotations

import asyncio
import gc
import math
import struct
import weakref
from contextlib import asynccontextmanager
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import (
    PawsightServicer,
    PawsightStub,
    add_PawsightServicer_to_server,
)
from pawsight_serving.addresses import Address
from pawsight_serving.errors import RequestError
from pawsight_serving.observability.observation import Observer
from pawsight_serving.requests.deadlines import Deadline
from pawsight_serving.rpc.call_limits import CallLimiter, CallLimits
from pawsight_serving.rpc.methods import streaming, unary
from pawsight_serving.rpc.refusals import refusing
from pawsight_serving.rpc.server import RpcServer, ServerOptions
from tests.serving.grpc_client import NOT_SERVING, next_health, trailing, watch_health
from tests.serving.heard import Heard
from tests.serving.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from pawsight_serving.requests.calls import Call

METHOD = "/pawsight.v1.Pawsight/Predict"
STATUS = grpc.StatusCode
MINE = (("x-request-id", "mine"),)
MAX_MESSAGE_BYTES = 1000


class Echo(PawsightServicer):
    """Answers with the model's name, once or more often, when it may."""

    timeout_s = 10.0
    times = 1

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.calls: list[weakref.ref[Any]] = []

    @unary
    async def Predict(self, request: pb.PredictRequest, call: Call) -> pb.PredictResponse:  # noqa: N802
        self.calls.append(weakref.ref(asyncio.current_task()))
        self.asked.set()
        await self.may_answer.wait()
        return pb.PredictResponse(model=request.model * self.times)

    @streaming
    async def PredictStream(  # noqa: N802
        self, requests: AsyncIterator[pb.PredictStreamRequest], call: Call
    ) -> AsyncGenerator[pb.PredictStreamResponse, None]:
        self.calls.append(weakref.ref(asyncio.current_task()))
        async for request in requests:
            yield pb.PredictStreamResponse(id=request.id)


@asynccontextmanager
async def serving(
    heard: Heard, *, handshake_timeout_s: float = 10.0, **limits: float
) -> AsyncIterator[tuple[Address, Echo, grpc.aio.Channel]]:
    observer = Observer(heard)
    echo = Echo(observer)  # type: ignore[abstract]
    server = RpcServer(
        {"pawsight.v1.Pawsight": partial(add_PawsightServicer_to_server, echo)},
        MAX_MESSAGE_BYTES,
        ServerOptions(
            call_limits=CallLimits(**limits),  # type: ignore[arg-type]
            handshake_timeout_s=handshake_timeout_s,
            observer=observer,
        ),
    )
    try:
        address = await server.start(Address("127.0.0.1", 0))
        async with grpc.aio.insecure_channel(str(address)) as channel:
            yield address, echo, channel
    finally:
        await server.stop(0)


async def fails(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await asyncio.wait_for(call, 10)
    return raised.value


def raw(channel: grpc.aio.Channel, sent: Any, **options: Any) -> Any:
    """Call with bytes as they are, or with as many messages as there are."""
    way: Any = channel.unary_unary if isinstance(sent, bytes) else channel.stream_unary
    return way(METHOD)(sent, **options)


async def never() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def nothing() -> AsyncIterator[bytes]:
    return
    yield b""


async def test_who_sends_in_time_is_answered_by_the_method_alone() -> None:
    heard = Heard()
    async with serving(heard, body_timeout_s=30) as (_, _, channel):
        stub = PawsightStub(channel)
        assert (await stub.Predict(pb.PredictRequest(model="a"))).model == "a"
        asked = [pb.PredictStreamRequest(id=name) for name in "xyz"]
        assert [each.id async for each in stub.PredictStream(iter(asked))] == ["x", "y", "z"]
        watch = watch_health(channel, "")
        assert await next_health(watch) == NOT_SERVING
        watch.cancel()
    assert heard.said() == [("predict", "OK"), ("predict_stream", "OK")]


async def test_who_sends_its_request_slowly_is_cut() -> None:
    heard = Heard()
    async with serving(heard, body_timeout_s=0.1) as (_, _, channel):
        error = await fails(raw(channel, never(), metadata=MINE))
    assert error.code() is STATUS.DEADLINE_EXCEEDED
    assert trailing(error)["pawsight-code"] == "DEADLINE_EXCEEDED"
    assert trailing(error)["x-request-id"] == "mine"
    assert heard.said() == [("refused", "DEADLINE_EXCEEDED")]
    assert 0.1 <= heard.requests[0].total_s < 10


async def test_who_asks_for_a_watch_slowly_is_cut() -> None:
    heard = Heard()
    async with serving(heard, body_timeout_s=0.1) as (_, _, channel):
        watch: Any = channel.stream_stream("/grpc.health.v1.Health/Watch")
        assert (await fails(watch(never()).read())).code() is STATUS.DEADLINE_EXCEEDED
    assert heard.said() == [("refused", "DEADLINE_EXCEEDED")]


async def test_who_has_not_sent_its_request_as_the_server_stops_is_told_so() -> None:
    heard = Heard()
    async with serving(heard, max_calls=1) as (address, _, another):
        channel = grpc.aio.insecure_channel(str(address))
        call = raw(channel, never(), metadata=MINE)
        async with asyncio.timeout(10):
            # Until the server has the call, and so takes no other.
            while await PawsightStub(another).Predict(pb.PredictRequest()).code() is not (
                STATUS.RESOURCE_EXHAUSTED
            ):
                if call.done():
                    # The other one had the only place.
                    call = raw(channel, never(), metadata=MINE)
    error = await fails(call)
    await channel.close()
    assert error.code() is STATUS.UNAVAILABLE
    assert trailing(error)["pawsight-code"] == "UNAVAILABLE"
    assert trailing(error)["x-request-id"] == "mine"
    assert heard.said()[-1] == ("refused", "UNAVAILABLE")


@pytest.mark.parametrize(
    ("sent", "word"), [(nothing(), "no request"), (b"\xff\xff", "not a message")]
)
async def test_what_is_no_request_is_refused_in_a_sentence(sent: Any, word: str) -> None:
    heard = Heard()
    async with serving(heard) as (_, _, channel):
        error = await fails(raw(channel, sent))
    assert (error.code(), trailing(error)["pawsight-code"]) == (
        STATUS.INVALID_ARGUMENT,
        "REQUEST_INVALID",
    )
    assert word in (error.details() or "")
    assert heard.said() == [("refused", "REQUEST_INVALID")]


@pytest.mark.parametrize(
    ("method", "told_as"),
    [
        ("/pawsight.v1.Pawsight/PredictStream", "predict_stream"),
        ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "refused"),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "refused"),
    ],
)
async def test_what_is_no_request_of_a_stream_is_refused_in_a_sentence(
    method: str, told_as: str
) -> None:
    heard = Heard()
    async with serving(heard) as (_, _, channel):
        stream: Any = channel.stream_stream(method)
        error = await fails(stream(iter([b"\xff\xff"]), metadata=MINE).read())
    assert error.code() is STATUS.INVALID_ARGUMENT
    assert "not a message" in (error.details() or "")
    assert trailing(error)["x-request-id"] == "mine"
    assert heard.said() == [(told_as, "REQUEST_INVALID")]


async def test_what_the_transport_ends_is_counted_too(caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard()
    async with serving(heard) as (address, _, channel):
        error = await fails(raw(channel, b"x" * (MAX_MESSAGE_BYTES + 1)))
        assert error.code() is STATUS.RESOURCE_EXHAUSTED
        # A client with a clock of its own might leave before the server's has run out.
        _, writer = await asyncio.open_connection(*address)
        writer.write(PREFACE + frame(SETTINGS, 0, 0, b""))
        writer.write(frame(HEADERS, 0x4, 1, call_headers(METHOD, {"grpc-timeout": "100m"})))
        await until(lambda: len(heard.requests) == 2)
        writer.close()
    codes = [code for _, code in heard.said()]
    assert codes == ["CANCELLED", "DEADLINE_EXCEEDED"]
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize(("at_s", "code"), [(0.0, "DEADLINE_EXCEEDED"), (math.inf, "CANCELLED")])
async def test_who_sends_nothing_leaves_at_its_own_deadline(
    at_s: float, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = asyncio.Event()

    def callers_deadline(_: object) -> Deadline:
        began.set()
        return Deadline(at_s)

    monkeypatch.setattr("pawsight_serving.rpc.call_limits.callers_deadline", callers_deadline)
    heard = Heard()
    async with serving(heard) as (_, _, channel):
        call = raw(channel, never())
        await asyncio.wait_for(began.wait(), 10)
        call.cancel()
        await until(lambda: bool(heard.requests))
    assert heard.said() == [("refused", code)]


async def test_a_method_that_is_none_is_counted() -> None:
    heard = Heard()
    async with serving(heard) as (_, _, channel):
        guess: Any = channel.unary_unary("/pawsight.v1.Pawsight/Guess")
        error = await fails(guess(b""))
        assert error.code() is STATUS.UNIMPLEMENTED
    assert heard.said() == [("refused", "ROUTE_NOT_FOUND")]


async def test_calls_at_once_are_bounded_whether_or_not_they_have_sent() -> None:
    heard = Heard()
    async with serving(heard, max_calls=2) as (_, echo, channel):
        echo.may_answer.clear()
        stub = PawsightStub(channel)
        waiting = asyncio.ensure_future(stub.Predict(pb.PredictRequest(model="a")))
        async with asyncio.timeout(10):
            await echo.asked.wait()
            sending = raw(channel, never())
            while True:
                if sending.done():
                    # The next call was in before it, and has left since.
                    sending = raw(channel, never())
                error = await fails(stub.Predict(pb.PredictRequest(), timeout=0.2))
                if error.code() is STATUS.RESOURCE_EXHAUSTED:
                    break
        assert trailing(error)["pawsight-code"] == "OVERLOADED"
        assert trailing(error)["retry-after"] == "1"
        assert ("refused", "OVERLOADED") in heard.said()
        sending.cancel()
        echo.may_answer.set()
        assert (await waiting).model == "a"
        await until(lambda: ("refused", "CANCELLED") in heard.said())
        assert (await stub.Predict(pb.PredictRequest(model="b"))).model == "b"


async def test_however_many_come_at_once_each_is_told() -> None:
    heard = Heard()
    async with serving(heard, max_calls=1) as (_, echo, channel):
        echo.may_answer.clear()
        stub = PawsightStub(channel)
        calls = [stub.Predict(pb.PredictRequest(), timeout=60) for _ in range(4000)]
        await echo.asked.wait()
        echo.may_answer.set()
        codes = {await call.code() for call in calls}
    assert codes == {STATUS.OK, STATUS.RESOURCE_EXHAUSTED}


async def test_a_stream_without_requests_ends() -> None:
    heard = Heard()
    async with serving(heard, idle_timeout_s=0.2) as (_, _, channel):
        stream: Any = PawsightStub(channel).PredictStream()
        await stream.write(pb.PredictStreamRequest(id="x"))
        assert (await stream.read()).id == "x"
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await asyncio.wait_for(stream.read(), 10)
        assert raised.value.code() is STATUS.DEADLINE_EXCEEDED
        reflect = channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            reflection_pb2.ServerReflectionRequest.SerializeToString,
            reflection_pb2.ServerReflectionResponse.FromString,
        )()
        assert await asyncio.wait_for(reflect.read(), 10) is grpc.aio.EOF
    assert heard.said() == [("predict_stream", "DEADLINE_EXCEEDED")]


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, SETTINGS, GOAWAY, CONTINUATION = 1, 4, 7, 9


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def call_headers(path: str, more: dict[str, str] | None = None) -> bytes:
    """Return HTTP/2's headers of a call, each as a literal."""
    pairs = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "here",
        "te": "trailers",
        "content-type": "application/grpc",
        **(more or {}),
    }
    return b"".join(
        b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in pairs.items()
    )


async def frames(reader: asyncio.StreamReader) -> AsyncIterator[tuple[int, bytes]]:
    """Yield the kind and the payload of each frame until the server closes the connection."""
    while len(head := await asyncio.wait_for(reader.read(9), 10)) == 9:
        size = int.from_bytes(head[:3], "big")
        yield head[3], await reader.readexactly(size)


@pytest.mark.parametrize("sent", [b"", b"\x00\x00\x00\x01\x00half"])
async def test_over_a_bare_socket_half_a_message_is_cut(sent: bytes) -> None:
    heard = Heard()
    async with serving(heard, body_timeout_s=0.1) as (address, _, _):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(PREFACE + frame(SETTINGS, 0, 0, b""))
        writer.write(frame(HEADERS, 0x4, 1, call_headers(METHOD)))
        writer.write(frame(0, 0, 1, sent) if sent else b"")
        answered = [payload async for kind, payload in until_headers(reader) if kind == HEADERS]
        writer.close()
        assert b"DEADLINE_EXCEEDED" in answered[0]
    assert heard.said() == [("refused", "DEADLINE_EXCEEDED")]


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (METHOD, pb.PredictRequest(model="cat")),
        ("/pawsight.v1.Pawsight/PredictStream", pb.PredictStreamRequest(id="x")),
    ],
)
async def test_who_does_not_read_an_answer_holds_no_place_for_ever(
    method: str, message: pb.PredictRequest | pb.PredictStreamRequest
) -> None:
    no_window = struct.pack(">HI", 4, 0)
    # Who watches keeps the connection from being idle.
    calls = {1: ("/grpc.health.v1.Health/Watch", b""), 3: (method, message.SerializeToString())}
    async with serving(Heard(), idle_timeout_s=0.5, max_calls=2) as (address, echo, channel):
        echo.times = 100_000
        reader, writer = await asyncio.open_connection(*address)
        writer.write(PREFACE + frame(SETTINGS, 0, 0, no_window) + frame(SETTINGS, 1, 0, b""))
        for number, (path, sent) in calls.items():
            writer.write(frame(HEADERS, 0x4, number, call_headers(path)))
            framed = b"\x00" + struct.pack(">I", len(sent)) + sent
            writer.write(frame(0, 0x1, number, framed))
            assert HEADERS in [kind async for kind, _ in until_headers(reader)]
        stub = PawsightStub(channel)
        assert (await fails(stub.Predict(pb.PredictRequest()))).code() is STATUS.RESOURCE_EXHAUSTED
        async with asyncio.timeout(10):
            while True:
                try:
                    await stub.Predict(pb.PredictRequest())
                    break
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.05)
        writer.close()


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_call_that_has_ended_is_kept_by_no_clock(is_stream: bool) -> None:
    async with serving(Heard(), body_timeout_s=300, idle_timeout_s=300) as (_, echo, channel):
        stub = PawsightStub(channel)
        if is_stream:
            stream = stub.PredictStream(iter([pb.PredictStreamRequest(id="x")]))
            assert [each.id async for each in stream] == ["x"]
        else:
            assert (await stub.Predict(pb.PredictRequest(model="a"))).model == "a"
        (call,) = echo.calls

        def is_gone() -> bool:
            gc.collect()
            return call() is None

        await until(is_gone)


async def until_headers(reader: asyncio.StreamReader) -> AsyncIterator[tuple[int, bytes]]:
    async for kind, payload in frames(reader):
        yield kind, payload
        if kind == HEADERS:
            return


@pytest.mark.parametrize(
    "sent",
    [
        PREFACE + frame(SETTINGS, 0, 0, b""),
        PREFACE + frame(SETTINGS, 0, 0, b"") + frame(HEADERS, 0, 1, call_headers(METHOD)),
        PREFACE + frame(SETTINGS, 0, 0, b"") + frame(HEADERS, 0x4, 1, call_headers(METHOD))[:20],
    ],
)
async def test_a_connection_without_a_call_is_closed(sent: bytes) -> None:
    async with serving(Heard(), idle_timeout_s=0.2) as (address, _, _):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(sent)
        kinds = [kind async for kind, _ in frames(reader)]
        writer.close()
        assert GOAWAY in kinds


@pytest.mark.parametrize(
    "more", [b"\x00\x01a\x01b" * 600, (b"\x00\x04long\x7d" + b"v" * 125) * 130]
)
async def test_metadata_is_bounded_for_who_never_acknowledged_the_settings(more: bytes) -> None:
    heard = Heard()
    async with serving(heard) as (address, _, _):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(PREFACE + frame(SETTINGS, 0, 0, b""))
        writer.write(frame(HEADERS, 0, 1, call_headers(METHOD)))
        writer.write(frame(CONTINUATION, 0, 1, more[:16000]))
        writer.write(frame(CONTINUATION, 0x4, 1, more[16000:]))
        answered = [payload async for kind, payload in until_headers(reader) if kind == HEADERS]
        writer.close()
        assert b"more than 16384 bytes" in answered[0]
    assert heard.said() == [("refused", "REQUEST_INVALID")]


@pytest.mark.parametrize(
    ("metadata", "size"), [(None, 0), ((), 0), ((("a", "bc"), ("d", b"efg")), 3 + 4 + 2 * 32)]
)
async def test_the_method_and_each_entry_of_the_metadata_count(metadata: Any, size: int) -> None:
    offered = refusing(RequestError("no"), "mine", Observer())

    async def offer(_: object) -> Any:
        return offered

    details: Any = SimpleNamespace(method=METHOD, invocation_metadata=metadata)
    heard = Heard()
    size += len(METHOD)
    for limit, passes in ((size, True), (size - 1, False)):
        limiter = CallLimiter(CallLimits(), Observer(heard), limit)
        assert (await limiter.intercept_service(offer, details) is offered) is passes
    assert heard.said() == [("refused", "REQUEST_INVALID")]


async def test_refusals_are_not_remembered() -> None:
    made: list[weakref.ref[Any]] = []

    async def refuse(_: object) -> Any:
        handler = refusing(RequestError("no"), "mine", Observer())
        made.append(weakref.ref(handler.stream_unary))
        return handler

    details: Any = SimpleNamespace(method=METHOD, invocation_metadata=())
    limiter = CallLimiter(CallLimits(), Observer())
    await limiter.intercept_service(refuse, details)
    gc.collect()
    assert made[0]() is None


async def test_who_never_acknowledges_the_settings_is_cut() -> None:
    async with serving(Heard(), handshake_timeout_s=1.0) as (address, _, _):
        reader, writer = await asyncio.open_connection(*address)
        # In one piece: on a slow machine the connection may end between two.
        settings = PREFACE + frame(SETTINGS, 0, 0, b"")
        writer.write(settings + frame(HEADERS, 0, 1, call_headers(METHOD)))
        kinds = [kind async for kind, _ in frames(reader)]
        writer.close()
        assert GOAWAY in kinds
