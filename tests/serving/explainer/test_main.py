from __future__ import annotations

import asyncio

import grpc
import pytest

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import ExplainerStub
from pawsight_serving.addresses import Address
from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.explainer.main import serve
from pawsight_serving.rpc.server import RpcServer
from pawsight_serving.settings import ExplainerSettings
from tests.serving.fakes import FakeEngine, picture
from tests.serving.grpc_client import NOT_SERVING, SERVING, check_health

SETTINGS = ExplainerSettings(grpc=Address("127.0.0.1", 0))


async def test_it_explains_and_is_healthy_until_it_is_stopped() -> None:
    engine, stop = FakeEngine(), asyncio.Event()
    started: asyncio.Future[Address] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(SETTINGS, engine, stop.wait, started.set_result))
    address = await asyncio.wait_for(started, 30)
    async with grpc.aio.insecure_channel(str(address)) as channel:
        assert await check_health(channel, "pawsight.v1.Explainer") == SERVING
        response = await ExplainerStub(channel).Explain(pb.ExplainRequest(images=[picture()]))
        assert response.explanations[0].evidence
    stop.set()
    await asyncio.wait_for(serving, 30)
    assert engine.closed


async def test_a_broken_model_is_named_and_holds_up_no_other() -> None:
    engine, stop = FakeEngine(), asyncio.Event()
    engine.unserved["broken"] = RepositoryInvalid("The graph broken version 1 is missing.")
    started: asyncio.Future[Address] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(SETTINGS, engine, stop.wait, started.set_result))
    address = await asyncio.wait_for(started, 30)
    async with grpc.aio.insecure_channel(str(address)) as channel:
        stub = ExplainerStub(channel)
        assert await check_health(channel, "pawsight.v1.Explainer") == SERVING
        assert await check_health(channel, "tiny") == SERVING
        assert await check_health(channel, "broken") == NOT_SERVING
        metrics = (await stub.GetMetrics(pb.GetMetricsRequest())).text.decode()
        assert 'pawsight_explainer_model_ready{model="tiny"} 1.0' in metrics
        assert 'pawsight_explainer_model_ready{model="broken"} 0.0' in metrics
        await stub.Explain(pb.ExplainRequest(model="tiny", images=[picture()]))
        calls = (
            stub.Explain(pb.ExplainRequest(model="broken", version="1", images=[picture()])),
            stub.Infer(pb.InferRequest(graph="broken_explain", version="1", outputs=["x"])),
        )
        for call in calls:
            with pytest.raises(grpc.aio.AioRpcError, match="'broken' is broken") as refused:
                await call
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    stop.set()
    await asyncio.wait_for(serving, 30)


async def test_a_start_that_is_stopped_ends_at_once() -> None:
    starting, stop = asyncio.Event(), asyncio.Event()

    class Loading(FakeEngine):
        async def start(self) -> None:
            starting.set()
            await asyncio.Event().wait()

    engine = Loading()
    serving = asyncio.create_task(serve(SETTINGS, engine, stop.wait, lambda _: None))
    await asyncio.wait_for(starting.wait(), 10)
    stop.set()
    await asyncio.wait_for(serving, 10)
    assert engine.closed


async def test_an_engine_that_cannot_start_ends_the_start() -> None:
    class Empty(FakeEngine):
        async def start(self) -> None:
            raise RepositoryInvalid("empty")

    engine = Empty()
    with pytest.raises(RepositoryInvalid):
        await serve(SETTINGS, engine, asyncio.Event().wait, lambda _: None)
    assert engine.closed


async def test_a_server_that_fails_to_end_keeps_the_engine_from_no_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine, stop = FakeEngine(), asyncio.Event()
    started: asyncio.Future[Address] = asyncio.get_running_loop().create_future()
    end = RpcServer.stop

    async def fail(server: RpcServer, grace_s: float) -> None:
        await end(server, grace_s)
        raise RuntimeError("stuck")

    monkeypatch.setattr(RpcServer, "stop", fail)
    serving = asyncio.create_task(serve(SETTINGS, engine, stop.wait, started.set_result))
    await asyncio.wait_for(started, 30)
    stop.set()
    await asyncio.wait_for(serving, 30)
    assert engine.closed
    assert "stuck" in caplog.text
