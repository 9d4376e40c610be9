from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import grpc
import httpx
import numpy as np
import pytest
from tritonclient.grpc.service_pb2_grpc import add_GRPCInferenceServiceServicer_to_server

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import add_PawsightServicer_to_server
from pawsight_serving.addresses import Address
from pawsight_serving.errors import VersionNotFound
from pawsight_serving.gateway.core import Gateway
from pawsight_serving.gateway.grpc.open_inference import SERVICE as OIP_SERVICE
from pawsight_serving.gateway.grpc.open_inference import OpenInferenceServicer
from pawsight_serving.gateway.grpc.servicer import SERVICE, PawsightServicer
from pawsight_serving.gateway.http.app import create_app
from pawsight_serving.gateway.http.server import HttpServer
from pawsight_serving.gateway.metrics import Metrics
from pawsight_serving.gateway.open_inference.core import OpenInference
from pawsight_serving.gateway.open_inference.counting_engine import CountingEngine
from pawsight_serving.gateway.open_inference.statistics import Statistics
from pawsight_serving.gateway.resources import Resources
from pawsight_serving.messages.tensors import tensor_message
from pawsight_serving.observability.observation import Observer
from pawsight_serving.pictures.decoder import Decoder
from pawsight_serving.readiness import Readiness
from pawsight_serving.repository.graphs import Outputs
from pawsight_serving.requests.admission import Admission
from pawsight_serving.requests.byte_budget import ByteBudget
from pawsight_serving.rpc.server import RpcServer
from pawsight_serving.settings import GatewaySettings
from pawsight_serving.threads.thread_pool import ThreadPool
from tests.serving.fakes import SIDE, FakeEngine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from numpy.typing import NDArray
    from starlette.applications import Starlette

    from pawsight_serving.explanations.queries import Query
    from pawsight_serving.requests.calls import Call


BLANK = np.zeros((1, SIDE, SIDE, 3), np.uint8)


@dataclass
class FakeExplainer:
    """Answers every request with the same map; `version` is what it says has answered."""

    failure: Exception | None = None
    without: str | None = None
    version: str | None = None
    classes: tuple[str, ...] = ("dog", "cat")
    asked: list[tuple[Query, Call]] = field(default_factory=list)
    engine: FakeEngine = field(default_factory=FakeEngine)
    connected: bool = True

    async def explain(
        self, query: Query, pictures: Sequence[bytes], call: Call, *, tensors: bool
    ) -> pb.ExplainResponse:
        self.asked.append((query, call))
        if self.without == query.version:
            raise VersionNotFound(query.model, query.version, ())
        await self.engine.infer("tiny", "1", BLANK, ("probabilities",), call.deadline)
        if self.failure is not None:
            raise self.failure
        explanation = pb.Explanation(
            method=query.method or "grad-cam",
            layer="conv2",
            evidence=True,
            digest="sha256:b",
            weights_sha256="c",
            precision="fp32",
        )
        drawing = query.drawing
        values = np.arange(6, dtype=np.float32).reshape(2, 3)
        if query.method == "activations":
            explanation.channels.add(channel=7, mean=2.5, max=5, zeros=0.25)
            explanation.tensor.CopyFrom(tensor_message("channels", values[np.newaxis]))
        else:
            explanation.target = query.target or self.classes[0]
            explanation.probability = 0.75
            explanation.tensor.CopyFrom(tensor_message("map", values))
        if query.faithfulness:
            curve = pb.Curve(area=0.5, probabilities=[1, 0])
            explanation.faithfulness.CopyFrom(pb.Faithfulness(deletion=curve, insertion=curve))
        if drawing is not None and not drawing.sheet:
            explanation.overlay_png = drawing.format.encode()
        prediction = pb.Prediction(
            label=self.classes[0],
            score=0.75,
            probabilities=dict(zip(self.classes, (0.75, 0.25), strict=True)),
        )
        return pb.ExplainResponse(
            model=query.model,
            version=query.version if self.version is None else self.version,
            predictions=[prediction] * len(pictures),
            explanations=[explanation] * len(pictures),
            digest="sha256:b",
            sheets=[b"SHEET"] * len(pictures) if drawing is not None and drawing.sheet else [],
        )

    async def metrics(self) -> bytes:
        return b"pawsight_explainer_in_flight 0.0\n"


@dataclass
class FakeSidecar:
    """Answers with an engine of its own."""

    engine: FakeEngine = field(default_factory=FakeEngine)
    failure: Exception | None = None
    alive: bool = True
    probed: int = 0
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.may_answer.set()

    async def infer(
        self,
        graph: str,
        version: str,
        images: NDArray[np.uint8],
        outputs: Sequence[str],
        call: Call,
    ) -> Outputs:
        self.asked.append(call)
        if self.failure is not None:
            raise self.failure
        values = await self.engine.infer(graph, version, images, outputs, call.deadline)
        return Outputs(values, "sha256:sidecar")

    async def ready(self, model: str) -> bool:
        self.probed += 1
        await self.may_answer.wait()
        return self.alive


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def explainer() -> FakeExplainer:
    return FakeExplainer()


@pytest.fixture
def sidecar() -> FakeSidecar:
    return FakeSidecar()


@pytest.fixture
def settings() -> GatewaySettings:
    return GatewaySettings(
        max_in_flight=2,
        max_explanations_in_flight=2,
        max_pictures=3,
        max_picture_bytes=10_000,
        max_request_bytes=20_000,
        max_in_flight_bytes=30_000,
        max_answer_bytes=5_000,
        timeout_s=5,
    )


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def observer(metrics: Metrics) -> Observer:
    return Observer(metrics)


@pytest.fixture
def statistics() -> Statistics:
    return Statistics()


@pytest.fixture
def bytes_held(settings: GatewaySettings) -> ByteBudget:
    return ByteBudget(settings.max_in_flight_bytes)


@pytest.fixture
def resources(
    engine: FakeEngine,
    bytes_held: ByteBudget,
    statistics: Statistics,
    readiness: Readiness,
    observer: Observer,
    settings: GatewaySettings,
) -> Iterator[Resources]:
    workers = ThreadPool(2, "decode")
    yield Resources(
        CountingEngine(engine, statistics),
        Decoder(workers, settings),
        Admission(settings.max_in_flight, bytes_held),
        Admission(settings.max_explanations_in_flight, bytes_held),
        readiness,
        observer,
    )
    workers.close()


@pytest.fixture
def gateway(resources: Resources, explainer: FakeExplainer, settings: GatewaySettings) -> Gateway:
    return Gateway(resources, explainer, default_model=settings.default_model)


@pytest.fixture
def open_inference(
    resources: Resources,
    sidecar: FakeSidecar,
    statistics: Statistics,
    settings: GatewaySettings,
) -> OpenInference:
    return OpenInference(resources, sidecar, statistics, settings)


@pytest.fixture
def app(
    gateway: Gateway,
    open_inference: OpenInference,
    readiness: Readiness,
    metrics: Metrics,
    observer: Observer,
    settings: GatewaySettings,
) -> Starlette:
    return create_app(gateway, open_inference, readiness, metrics, observer, settings)


def unheard(ready: bool) -> None:
    """Hear of readiness, and do nothing."""


@pytest.fixture
async def readiness(engine: FakeEngine, settings: GatewaySettings) -> AsyncIterator[Readiness]:
    readiness = Readiness(engine, settings)
    await readiness.start(unheard)
    yield readiness
    await readiness.stop()


@pytest.fixture
async def http(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, without a socket between."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway"
    ) as client:
        yield client


@pytest.fixture
async def http_address(app: Starlette) -> AsyncIterator[Address]:
    """The application behind a socket."""
    server = HttpServer(app, grace_s=5)
    yield await server.start(Address("127.0.0.1", 0))
    await server.stop()


@pytest.fixture
async def rpc_address(
    gateway: Gateway, open_inference: OpenInference, readiness: Readiness, observer: Observer
) -> AsyncIterator[Address]:
    """Both services of the gateway behind a socket."""
    own = PawsightServicer(gateway, readiness, observer, 5, stream_pictures_at_once=2)
    oip = OpenInferenceServicer(open_inference, observer, 5, stream_requests_at_once=2)
    server = RpcServer(
        {
            SERVICE: partial(add_PawsightServicer_to_server, own),
            OIP_SERVICE: partial(add_GRPCInferenceServiceServicer_to_server, oip),
        },
        100_000,
    )
    yield await server.start(Address("127.0.0.1", 0))
    await server.stop(0)


@pytest.fixture
async def channel(rpc_address: Address) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(str(rpc_address)) as channel:
        yield channel
