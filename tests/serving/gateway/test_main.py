from __future__ import annotations

import asyncio
import base64
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc
import httpx
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as oip
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import PawsightStub
from pawsight_serving.addresses import Address
from pawsight_serving.errors import (
    AddressUnavailable,
    ConfigurationInvalid,
    EngineUnavailable,
    RepositoryInvalid,
)
from pawsight_serving.explainer import main as explainer_main
from pawsight_serving.gateway.child_process import ChildProcess
from pawsight_serving.gateway.main import serve
from pawsight_serving.settings import ExplainerSettings, GatewaySettings
from tests.serving.fakes import FakeEngine, picture
from tests.serving.grpc_client import NOT_SERVING, SERVING, check_health, next_health, watch_health

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from pawsight_serving.engines.protocol import Engine
    from pawsight_serving.gateway.serving_summary import ServingSummary
    from pawsight_serving.repository.manifest import Manifest

FREE = Address("127.0.0.1", 0)
RED = picture("red")
NEVER = (sys.executable, "-c", "")


def make_settings(**changes: object) -> GatewaySettings:
    return GatewaySettings.model_validate(
        {
            "http": FREE,
            "grpc": FREE,
            "probe_interval_s": 0.02,
            "shutdown_grace_s": 2,
            "explainer_start_s": 0.2,
            **changes,
        }
    )


@asynccontextmanager
async def running(
    settings: GatewaySettings,
    engine: Engine,
    command: tuple[str, ...] = NEVER,
    *,
    without_broken: bool = False,
) -> AsyncIterator[ServingSummary]:
    """Run a gateway in this event loop."""
    started, stop = asyncio.get_running_loop().create_future(), asyncio.Event()
    sidecar = None
    if settings.explainer is None:
        sidecar = ChildProcess(settings.for_sidecar(), command)
    serving = asyncio.create_task(
        serve(
            settings,
            engine,
            stop.wait,
            started.set_result,
            sidecar,
            without_broken=without_broken,
        )
    )
    await asyncio.wait({serving, started}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    try:
        yield started.result()
    finally:
        stop.set()
        await asyncio.wait_for(serving, 30)


@asynccontextmanager
async def explaining(
    engine: FakeEngine | None = None, /, **changes: object
) -> AsyncIterator[Address]:
    """Run an explainer in this event loop."""
    settings = ExplainerSettings.model_validate({"grpc": FREE, **changes})
    started, stop = asyncio.get_running_loop().create_future(), asyncio.Event()
    serving = asyncio.create_task(
        explainer_main.serve(settings, engine or FakeEngine(), stop.wait, started.set_result)
    )
    yield await asyncio.wait_for(started, 30)
    stop.set()
    await asyncio.wait_for(serving, 30)


async def test_both_protocols_and_a_named_explainer_work_together() -> None:
    async with (
        explaining() as explainer,
        running(make_settings(explainer=explainer), FakeEngine()) as gateway,
        httpx.AsyncClient(base_url=f"http://{gateway.http}") as http,
        grpc.aio.insecure_channel(str(gateway.grpc)) as channel,
    ):
        assert gateway.sidecar is None
        assert (await http.get("/readyz")).status_code == 200
        over_http = (await http.post("/v1/models/tiny:explain", content=RED)).json()
        over_grpc = await PawsightStub(channel).Explain(pb.ExplainRequest(images=[RED]))
        assert over_http["explanations"][0]["map"] == [[1, 1], [1, 1]]
        assert list(over_grpc.explanations[0].map.values) == [1, 1, 1, 1]
        score = over_http["predictions"][0]["score"]
        assert score == over_grpc.predictions[0].score


async def test_the_open_inference_protocol_reaches_both_graphs() -> None:
    async with (
        explaining() as explainer,
        running(make_settings(explainer=explainer), FakeEngine()) as gateway,
        httpx.AsyncClient(base_url=f"http://{gateway.http}") as http,
        grpc.aio.insecure_channel(str(gateway.grpc)) as channel,
    ):
        outputs = ["probabilities", "activation:conv1"]
        image = oip.ModelInferRequest.InferInputTensor(name="image", datatype="BYTES", shape=[1])
        image.contents.bytes_contents.append(RED)
        over_grpc = await GRPCInferenceServiceStub(channel).ModelInfer(
            oip.ModelInferRequest(
                model_name="tiny",
                inputs=[image],
                outputs=[
                    oip.ModelInferRequest.InferRequestedOutputTensor(name=name) for name in outputs
                ],
            )
        )
        over_http = (
            await http.post(
                "/v2/models/tiny/infer",
                json={
                    "inputs": [
                        {
                            "name": "image",
                            "datatype": "BYTES",
                            "shape": [1],
                            "data": [base64.b64encode(RED).decode()],
                        }
                    ],
                    "outputs": [{"name": name} for name in outputs],
                },
            )
        ).json()
        assert [output.name for output in over_grpc.outputs] == outputs
        for raw, output in zip(over_grpc.raw_output_contents, over_http["outputs"], strict=True):
            assert np.frombuffer(raw, "<f4").tolist() == np.float32(output["data"]).tolist()
        assert over_http["outputs"][1]["shape"] == [1, 20, 4, 4]
        assert (await http.get("/v2/models/tiny_explain/ready")).status_code == 200
        assert await check_health(channel, "inference.GRPCInferenceService") == SERVING
        statistics = (await http.get("/v2/models/stats")).json()["model_stats"]
        assert [each["execution_count"] for each in statistics] == [2, 2]


async def test_the_greeting_says_what_and_where() -> None:
    async with running(make_settings(), FakeEngine()) as gateway:
        assert str(gateway) == (
            f"Pawsight serves tiny on http://{gateway.http} and grpc://{gateway.grpc}"
        )


async def test_health_follows_the_engine_over_both_protocols() -> None:
    engine = FakeEngine()
    async with (
        running(make_settings(), engine) as gateway,
        httpx.AsyncClient(base_url=f"http://{gateway.http}") as http,
        grpc.aio.insecure_channel(str(gateway.grpc)) as channel,
    ):
        watch = watch_health(channel, "pawsight.v1.Pawsight")
        assert await next_health(watch) == SERVING
        engine.failure = EngineUnavailable("dead")
        async with asyncio.timeout(5):
            assert await next_health(watch) == NOT_SERVING
            assert (await http.get("/readyz")).status_code == 503
            assert (await http.get("/healthz")).status_code == 200
            engine.failure = None
            assert await next_health(watch) == SERVING
            assert (await http.get("/readyz")).status_code == 200
        watch.cancel()


async def test_an_engine_that_comes_later_is_down_until_then() -> None:
    class Away(FakeEngine):
        away = True

        def manifests(self) -> Sequence[Manifest]:
            if self.away:
                raise EngineUnavailable("Nobody is there yet; try again.")
            return super().manifests()

    engine, explaining_engine = Away(), Away()
    async with (
        explaining(explaining_engine, probe_interval_s=0.02) as explainer,
        running(make_settings(explainer=explainer, default_model="tyni"), engine) as gateway,
        httpx.AsyncClient(base_url=f"http://{gateway.http}") as http,
        grpc.aio.insecure_channel(str(gateway.grpc)) as channel,
        grpc.aio.insecure_channel(str(explainer)) as sidecar,
    ):
        assert str(gateway).startswith("Pawsight serves no model yet on http://")
        health = watch_health(channel, "pawsight.v1.Pawsight")
        sidecars = watch_health(sidecar, "pawsight.v1.Explainer")
        assert await next_health(health) == await next_health(sidecars) == NOT_SERVING
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/readyz")).status_code == 503
        assert (await http.get("/metrics")).status_code == 200
        for answer in (
            await http.post("/v1/models/tiny:predict", content=RED),
            await http.post("/v1/models/tiny:explain", content=RED),
            await http.get("/v1/models"),
            await http.get("/v2/models/tiny"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (503, "ENGINE_UNAVAILABLE")
            assert answer.headers["Retry-After"] == "1"
        for call in (
            PawsightStub(channel).Predict(pb.PredictRequest(images=[RED])),
            PawsightStub(channel).ListModels(pb.ListModelsRequest()),
            GRPCInferenceServiceStub(channel).RepositoryIndex(oip.RepositoryIndexRequest()),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        engine.away = explaining_engine.away = False
        async with asyncio.timeout(5):
            assert await next_health(health) == await next_health(sidecars) == SERVING
        assert (await http.get("/readyz")).status_code == 200
        assert (await http.post("/v1/models/tiny:explain", content=RED)).status_code == 200
        health.cancel()
        sidecars.cancel()


async def test_without_an_explainer_predictions_go_on_and_no_explanation_is_given() -> None:
    async with (
        running(make_settings(), FakeEngine()) as gateway,
        httpx.AsyncClient(base_url=f"http://{gateway.http}") as http,
    ):
        assert (await http.post("/v1/models/tiny:predict", content=RED)).status_code == 200
        for overlay in ("true", "false"):
            answer = await http.post(f"/v1/models/tiny:explain?overlay={overlay}", content=RED)
            assert (answer.status_code, answer.json()["code"]) == (503, "EXPLAINER_UNAVAILABLE")


@pytest.mark.parametrize("protocol", ["http", "grpc"])
async def test_a_caller_who_leaves_frees_the_sidecar(protocol: str) -> None:
    engine = FakeEngine()
    drawn = pb.ExplainRequest(images=[RED], rendering=pb.RENDERING_PNG)
    cancelled = 'pawsight_explainer_requests_total{code="CANCELLED",method="grad-cam"} 1.0'
    async with (
        explaining(engine) as explainer,
        running(make_settings(explainer=explainer), FakeEngine()) as gateway,
        httpx.AsyncClient(base_url=f"http://{gateway.http}") as http,
        grpc.aio.insecure_channel(str(gateway.grpc)) as channel,
    ):

        async def ask() -> None:
            if protocol == "http":
                await http.post("/v1/models/tiny:explain", content=RED)
            else:
                await PawsightStub(channel).Explain(drawn)

        engine.may_answer.clear()
        asked = asyncio.create_task(ask())
        async with asyncio.timeout(10):
            while ("tiny", "1", ("probabilities", "gradcam"), 1) not in engine.asked:
                engine.asked_again.clear()
                await engine.asked_again.wait()
            asked.cancel()
            while True:
                if cancelled in (await http.get("/metrics")).text:
                    break
                await asyncio.sleep(0.01)
        engine.may_answer.set()


async def test_the_end_finishes_what_is_under_way_and_closes_the_engine() -> None:
    engine = FakeEngine()
    async with httpx.AsyncClient() as http:
        async with running(make_settings(probe_interval_s=60), engine) as gateway:
            asked = len(engine.asked)
            engine.may_answer.clear()
            url = f"http://{gateway.http}/v1/models/tiny:predict"
            under_way = asyncio.create_task(http.post(url, content=RED))
            await engine.wait_asked(asked + 1)
            asyncio.get_running_loop().call_later(0.05, engine.may_answer.set)
        assert (await under_way).status_code == 200
    assert engine.closed


@pytest.mark.parametrize("protocol", ["http", "grpc"])
async def test_a_taken_port_ends_the_start_and_closes_everything(protocol: str) -> None:
    async with running(make_settings(), FakeEngine()) as first:
        second = FakeEngine()
        with pytest.raises(AddressUnavailable):
            async with running(make_settings(**{protocol: getattr(first, protocol)}), second):
                pass
        assert second.closed


async def test_a_start_that_is_stopped_ends_at_once_and_closes_everything() -> None:
    starting, stop = asyncio.Event(), asyncio.Event()

    class Loading(FakeEngine):
        async def start(self) -> None:
            starting.set()
            await asyncio.Event().wait()

    def started(running: ServingSummary) -> None:
        raise AssertionError(running)

    engine = Loading()
    settings = make_settings(explainer=Address("127.0.0.1", 1))
    serving = asyncio.create_task(serve(settings, engine, stop.wait, started, None))
    await asyncio.wait_for(starting.wait(), 10)
    stop.set()
    await asyncio.wait_for(serving, 10)
    assert engine.closed


async def test_an_engine_that_cannot_start_ends_the_start() -> None:
    class Dead(FakeEngine):
        async def start(self) -> None:
            raise EngineUnavailable("dead")

    engine = Dead()
    with pytest.raises(EngineUnavailable):
        async with running(make_settings(), engine):
            pass
    assert engine.closed


async def test_a_broken_model_ends_the_start() -> None:
    engine = FakeEngine()
    engine.unserved["broken"] = RepositoryInvalid("The graph broken version 1 is missing.")
    with pytest.raises(RepositoryInvalid, match="broken version 1"):
        async with running(make_settings(), engine):
            pass
    assert engine.closed


async def test_one_that_takes_over_refuses_a_broken_model_and_serves_the_others() -> None:
    engine = FakeEngine()
    engine.unserved["broken"] = RepositoryInvalid("The graph broken version 1 is missing.")
    async with (
        running(make_settings(default_model="broken"), engine, without_broken=True) as gateway,
        httpx.AsyncClient(base_url=f"http://{gateway.http}") as http,
    ):
        assert gateway.broken == ("The graph broken version 1 is missing.",)
        answer = await http.post("/v1/models/tiny:predict", content=RED)
        assert answer.status_code == 200
        for path in ("/v1/models/broken:predict", "/v1/models/broken:explain"):
            answer = await http.post(path, content=RED)
            assert (answer.status_code, answer.json()["code"]) == (503, "ENGINE_UNAVAILABLE")
        for path in ("/v1/models/broken", "/v2/models/broken", "/v2/models/broken_explain/ready"):
            assert (await http.get(path)).status_code == 503
        assert 'pawsight_model_ready{model="broken"} 0.0' in (await http.get("/metrics")).text
        assert (await http.get("/readyz")).status_code == 200


async def test_a_default_model_that_is_not_there_ends_the_start() -> None:
    engine = FakeEngine()
    with pytest.raises(ConfigurationInvalid, match=r"'tyni' is not served.*--default-model.*tiny"):
        async with running(make_settings(default_model="tyni"), engine):
            pass
    assert engine.closed


async def test_triton_may_bring_the_default_model_later(caplog: pytest.LogCaptureFixture) -> None:
    settings = make_settings(default_model="tyni", triton=Address("127.0.0.1", 1))
    async with running(settings, FakeEngine()):
        pass
    assert "'tyni' is not served" in caplog.text
