from __future__ import annotations

import asyncio
import math
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import grpc
import pytest

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import (
    PawsightServicer,
    PawsightStub,
    add_PawsightServicer_to_server,
)
from pawsight_serving.addresses import Address
from pawsight_serving.errors import ModelNotFound
from pawsight_serving.observability.observation import Observer
from pawsight_serving.rpc.methods import streaming, unary
from pawsight_serving.rpc.server import RpcServer
from tests.serving.grpc_client import trailing
from tests.serving.heard import Heard
from tests.serving.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from pawsight_proto.v1.pawsight_pb2_grpc import PawsightAsyncStub
    from pawsight_serving.observability.observed import Observed
    from pawsight_serving.requests.calls import Call


class Servicer(PawsightServicer):
    """Does what its request's model says."""

    timeout_s = 5.0
    observer = Observer()
    slow = asyncio.Event()
    left = False

    @unary
    async def GetModel(self, request: pb.GetModelRequest, call: Call) -> pb.Model:  # noqa: N802
        if request.model == "unknown":
            raise ModelNotFound("unknown", ("known",))
        if request.model == "broken":
            raise ZeroDivisionError("a secret")
        if request.model == "cancelled":
            lost: asyncio.Future[pb.Model] = asyncio.get_running_loop().create_future()
            lost.cancel()
            return await lost
        if request.model == "slow":
            self.slow.set()
            await asyncio.Event().wait()
        return pb.Model(name=call.request_id, version=str(call.deadline.remaining_s()))

    @streaming
    async def PredictStream(  # noqa: N802
        self, requests: AsyncIterator[pb.PredictStreamRequest], call: Call
    ) -> AsyncGenerator[pb.PredictStreamResponse, None]:
        try:
            async for request in requests:
                if request.model == "broken":
                    raise ZeroDivisionError("a secret")
                yield pb.PredictStreamResponse(id=str(call.deadline.remaining_s()))
        finally:
            Servicer.left = True


class OpenContext:
    """As much of a call as its method asks for before it ends."""

    def __init__(self, remaining_s: float) -> None:
        self._remaining_s = remaining_s

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return ()

    def time_remaining(self) -> float:
        return self._remaining_s

    def set_trailing_metadata(self, metadata: object) -> None:
        pass


@pytest.fixture
def server() -> RpcServer:
    Servicer.slow = asyncio.Event()
    add = partial(add_PawsightServicer_to_server, Servicer())  # type: ignore[abstract]
    return RpcServer({"pawsight.v1.Pawsight": add}, 1 << 20)


@pytest.fixture
async def stub(server: RpcServer) -> AsyncIterator[PawsightAsyncStub]:
    address = await server.start(Address("127.0.0.1", 0))
    async with grpc.aio.insecure_channel(str(address)) as channel:
        yield PawsightStub(channel)
    await server.stop(0)


async def failure(
    call: grpc.aio.UnaryUnaryCall[pb.GetModelRequest, pb.Model],
) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value


class Patient(Heard):
    """Keeps the server busy from a call's end until the caller has its answer."""

    def __init__(self) -> None:
        super().__init__()
        self.answered = threading.Event()
        self.in_time: list[bool] = []

    def ended(self, observed: Observed) -> None:
        super().ended(observed)
        self.in_time.append(self.answered.wait(10))


@pytest.mark.parametrize("model", ["", "unknown"])
async def test_an_answer_does_not_wait_for_the_log(
    server: RpcServer, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    log = Patient()
    monkeypatch.setattr(Servicer, "observer", Observer(log))
    address = await server.start(Address("127.0.0.1", 0))

    def ask() -> None:
        with grpc.insecure_channel(str(address)) as channel, suppress(grpc.RpcError):
            PawsightStub(channel).GetModel(pb.GetModelRequest(model=model), timeout=20)
        log.answered.set()

    await asyncio.to_thread(ask)
    await server.stop(0)
    assert log.in_time == [True]


async def test_the_callers_id_is_taken_and_echoed(stub: PawsightAsyncStub) -> None:
    call = stub.GetModel(pb.GetModelRequest(), metadata=(("x-request-id", "mine"),))
    assert (await call).name == "mine"
    assert ("x-request-id", "mine") in list(await call.trailing_metadata())


async def test_an_id_is_made_where_none_came(stub: PawsightAsyncStub) -> None:
    call = stub.GetModel(pb.GetModelRequest())
    model = await call
    assert len(model.name) == 32
    assert ("x-request-id", model.name) in list(await call.trailing_metadata())


async def test_the_deadline_is_the_callers_within_the_servers(
    stub: PawsightAsyncStub,
) -> None:
    assert float((await stub.GetModel(pb.GetModelRequest())).version) <= 5
    assert float((await stub.GetModel(pb.GetModelRequest(), timeout=60)).version) <= 5
    assert float((await stub.GetModel(pb.GetModelRequest(), timeout=2)).version) < 2.5


async def test_an_error_comes_with_its_code_and_id(stub: PawsightAsyncStub) -> None:
    error = await failure(
        stub.GetModel(pb.GetModelRequest(model="unknown"), metadata=(("x-request-id", "mine"),))
    )
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert error.details() == "Model 'unknown' is not served here; the models are: known."
    assert trailing(error)["pawsight-code"] == "MODEL_NOT_FOUND"
    assert trailing(error)["x-request-id"] == "mine"


async def test_an_unforeseen_error_tells_nothing(stub: PawsightAsyncStub) -> None:
    error = await failure(stub.GetModel(pb.GetModelRequest(model="broken")))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in str(error.details())
    assert trailing(error)["pawsight-code"] == "INTERNAL"


async def test_what_was_cancelled_behind_it_is_still_answered(stub: PawsightAsyncStub) -> None:
    error = await failure(stub.GetModel(pb.GetModelRequest(model="cancelled"), timeout=5))
    assert error.code() is grpc.StatusCode.INTERNAL


async def test_the_servers_deadline_ends_a_call(
    stub: PawsightAsyncStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Servicer, "timeout_s", 0.05)
    error = await failure(stub.GetModel(pb.GetModelRequest(model="slow")))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert trailing(error)["pawsight-code"] == "DEADLINE_EXCEEDED"


# gRPC rounds a timeout up as it sends it: the caller leaves a little before the rounded one.
@pytest.mark.parametrize(
    ("passed_s", "code"),
    [(60.0, "DEADLINE_EXCEEDED"), (59.5, "DEADLINE_EXCEEDED"), (58.0, "CANCELLED")],
)
async def test_a_call_that_grpc_cancels_at_its_deadline_was_late(
    passed_s: float, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard()
    monkeypatch.setattr(Servicer, "observer", Observer(heard))
    monkeypatch.setattr(Servicer, "timeout_s", 100.0)
    Servicer.slow = asyncio.Event()
    servicer = Servicer()  # type: ignore[abstract]
    answer = servicer.GetModel(pb.GetModelRequest(model="slow"), cast("Any", OpenContext(60)))
    call = asyncio.ensure_future(answer)
    await asyncio.wait_for(Servicer.slow.wait(), 10)
    now_s = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now_s + passed_s)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert heard.said() == [("get_model", code)]


# At a stream's deadline its requests end as if they had been read.
@pytest.mark.parametrize(("passed_s", "code"), [(59.5, "DEADLINE_EXCEEDED"), (58.0, "OK")])
async def test_a_stream_that_ends_at_its_callers_deadline_was_late(
    passed_s: float, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard()
    monkeypatch.setattr(Servicer, "observer", Observer(heard))
    servicer = Servicer()  # type: ignore[abstract]
    now_s = time.monotonic()

    async def requests() -> AsyncIterator[pb.PredictStreamRequest]:
        monkeypatch.setattr("time.monotonic", lambda: now_s + passed_s)
        return
        yield

    answers = servicer.PredictStream(requests(), cast("Any", OpenContext(60)))
    assert [answer async for answer in aiter(answers)] == []
    assert heard.said() == [("predict_stream", code)]


async def test_what_a_stream_holds_is_given_back_as_it_ends() -> None:
    Servicer.left = False
    servicer = Servicer()  # type: ignore[abstract]

    async def requests() -> AsyncIterator[pb.PredictStreamRequest]:
        while True:
            yield pb.PredictStreamRequest()

    answers = servicer.PredictStream(requests(), cast("Any", OpenContext(60)))
    await anext(aiter(answers))
    await cast("AsyncGenerator[object, None]", answers).aclose()
    assert Servicer.left


async def test_a_stream_lasts_as_long_as_its_caller(stub: PawsightAsyncStub) -> None:
    call = stub.PredictStream()
    await call.write(pb.PredictStreamRequest())
    response = await call.read()
    assert isinstance(response, pb.PredictStreamResponse)
    assert math.isinf(float(response.id))
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


async def test_a_streams_error_is_mapped_too(stub: PawsightAsyncStub) -> None:
    call = stub.PredictStream(iter([pb.PredictStreamRequest(model="broken")]))
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call.read()
    assert raised.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in str(raised.value.details())


async def test_a_stream_that_its_deadline_ends_is_told_so(
    stub: PawsightAsyncStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard()
    monkeypatch.setattr(Servicer, "observer", Observer(heard))
    call = stub.PredictStream(timeout=0.2)
    await call.write(pb.PredictStreamRequest())
    assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: bool(heard.requests))
    assert heard.said() == [("predict_stream", "DEADLINE_EXCEEDED")]


async def test_what_the_servers_end_cuts_off_is_told_so(server: RpcServer) -> None:
    address = await server.start(Address("127.0.0.1", 0))
    async with grpc.aio.insecure_channel(str(address)) as channel:
        stub: PawsightAsyncStub = PawsightStub(channel)
        slow = stub.GetModel(pb.GetModelRequest(model="slow"))
        stream = stub.PredictStream()
        await stream.write(pb.PredictStreamRequest())
        await stream.read()
        await asyncio.wait_for(Servicer.slow.wait(), 10)
        await asyncio.wait_for(server.stop(0.1), 10)
        for call in (slow, stream):
            assert await call.code() is grpc.StatusCode.UNAVAILABLE
            said = {key: str(value) for key, value in await call.trailing_metadata()}
            assert said["pawsight-code"] == "UNAVAILABLE"
            assert said["retry-after"] == "1"
            assert "stopping" in await call.details()


async def test_what_ends_within_the_grace_is_not_cut_off(server: RpcServer) -> None:
    address = await server.start(Address("127.0.0.1", 0))
    async with grpc.aio.insecure_channel(str(address)) as channel:
        stream = PawsightStub(channel).PredictStream()
        await stream.write(pb.PredictStreamRequest())
        await stream.read()
        stopping = asyncio.create_task(server.stop(10))
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF
        assert await stream.code() is grpc.StatusCode.OK
        await asyncio.wait_for(stopping, 10)
