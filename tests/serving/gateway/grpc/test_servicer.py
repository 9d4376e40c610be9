from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import grpc
import pytest

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import PawsightStub, add_PawsightServicer_to_server
from pawsight_serving.addresses import Address
from pawsight_serving.errors import EngineUnavailable, ExplainerUnavailable, LayerUnknown
from pawsight_serving.gateway.grpc.servicer import SERVICE, PawsightServicer
from pawsight_serving.rpc.server import RpcServer
from tests.serving.fakes import LAYERS, FakeEngine, manifest, picture
from tests.serving.grpc_client import trailing
from tests.serving.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from pawsight_proto.v1.pawsight_pb2_grpc import PawsightAsyncStub
    from pawsight_serving.gateway.core import Gateway
    from pawsight_serving.observability.observation import Observer
    from pawsight_serving.predictions import Predictions
    from pawsight_serving.readiness import Readiness
    from pawsight_serving.requests.deadlines import Deadline
    from tests.serving.gateway.conftest import FakeExplainer

RED, BLUE = picture("red"), picture("blue")
MINE = (("x-request-id", "mine"),)


@pytest.fixture
async def stub(
    gateway: Gateway, readiness: Readiness, observer: Observer
) -> AsyncIterator[PawsightAsyncStub]:
    servicer = PawsightServicer(gateway, readiness, observer, 5, stream_pictures_at_once=2)
    server = RpcServer({SERVICE: partial(add_PawsightServicer_to_server, servicer)}, 20_000)
    address = await server.start(Address("127.0.0.1", 0))
    async with grpc.aio.insecure_channel(str(address)) as channel:
        yield PawsightStub(channel)
    await server.stop(0)


def test_the_service_is_the_contracts() -> None:
    assert SERVICE == "pawsight.v1.Pawsight"


async def test_predict(stub: PawsightAsyncStub) -> None:
    response = await stub.Predict(pb.PredictRequest(images=[RED, BLUE]), metadata=MINE)
    assert [each.label for each in response.predictions] == ["dog", "cat"]
    assert (response.model, response.version, response.request_id) == ("tiny", "1", "mine")
    assert response.digest == "sha256:" + "a" * 64


async def test_explain(stub: PawsightAsyncStub) -> None:
    request = pb.ExplainRequest(images=[RED], target="cat", rendering=pb.RENDERING_PNG)
    response = await stub.Explain(request, metadata=MINE)
    (explanation,) = response.explanations
    assert (explanation.target, explanation.overlay_png) == ("cat", b"PNG")
    assert response.request_id == "mine"


async def test_models_are_described(stub: PawsightAsyncStub, readiness: Readiness) -> None:
    model = await stub.GetModel(pb.GetModelRequest(model="tiny"))
    assert (model.name, model.version, model.state) == ("tiny", "1", "READY")
    assert model.default
    assert [layer.name for layer in model.layers] == [layer.name for layer in LAYERS]
    assert model.manifest["weights_sha256"] == manifest().weights_sha256
    await readiness.stop()
    (model,) = (await stub.ListModels(pb.ListModelsRequest())).models
    assert model.state == "UNAVAILABLE"


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (pb.PredictRequest(), grpc.StatusCode.INVALID_ARGUMENT, "IMAGE_MISSING"),
        (pb.PredictRequest(images=[b"x"]), grpc.StatusCode.INVALID_ARGUMENT, "IMAGE_INVALID"),
        (
            pb.PredictRequest(images=[b"x" * 10_001]),
            grpc.StatusCode.INVALID_ARGUMENT,
            "IMAGE_TOO_LARGE",
        ),
        (pb.PredictRequest(model="x", images=[RED]), grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND"),
        (
            pb.PredictRequest(version="9", images=[RED]),
            grpc.StatusCode.NOT_FOUND,
            "VERSION_NOT_FOUND",
        ),
    ],
)
async def test_the_callers_errors_are_the_contracts(
    stub: PawsightAsyncStub, request_: pb.PredictRequest, status: grpc.StatusCode, code: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.Predict(request_)
    assert raised.value.code() is status
    assert trailing(raised.value)["pawsight-code"] == code


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (pb.ExplainRequest(model="x", colormap="jet", images=[RED]), "NOT_FOUND"),
        (pb.ExplainRequest(colormap="jet", images=[RED]), "INVALID_ARGUMENT"),
        (pb.ExplainRequest(seed=2**64 - 1, images=[RED]), "INVALID_ARGUMENT"),
        (pb.ExplainRequest(top=2**16, images=[RED]), "INVALID_ARGUMENT"),
        (pb.ExplainRequest(samples=2**16, images=[RED]), "INVALID_ARGUMENT"),
    ],
)
async def test_what_is_asked_is_refused_as_over_http(
    stub: PawsightAsyncStub, request_: pb.ExplainRequest, status: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.Explain(request_)
    assert raised.value.code() is grpc.StatusCode[status]


async def test_the_transports_own_limit_is_resource_exhausted(stub: PawsightAsyncStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.Predict(pb.PredictRequest(images=[b"x" * 20_001]))
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_what_is_down_is_unavailable_and_says_when_to_come_back(
    stub: PawsightAsyncStub, engine: FakeEngine, explainer: FakeExplainer
) -> None:
    engine.failure = EngineUnavailable("Down.")
    explainer.failure = ExplainerUnavailable("Down.")
    for call in (
        stub.Predict(pb.PredictRequest(images=[RED])),
        stub.Explain(pb.ExplainRequest(images=[RED])),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        assert trailing(raised.value)["retry-after"] == "1"


async def test_the_sidecars_error_passes_through(
    stub: PawsightAsyncStub, explainer: FakeExplainer
) -> None:
    explainer.failure = LayerUnknown("x", ("conv1",))
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.Explain(pb.ExplainRequest(images=[RED], layer="x"))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert trailing(raised.value)["pawsight-code"] == "LAYER_UNKNOWN"


async def test_a_streams_answers_keep_order_and_ids_and_fail_alone(stub: PawsightAsyncStub) -> None:
    images = {"1": RED, "2": b"nonsense", "3": BLUE}
    call = stub.PredictStream(
        (pb.PredictStreamRequest(id=number, image=image) for number, image in images.items()),
        metadata=MINE,
    )
    responses = [response async for response in call]
    assert [response.id for response in responses] == ["1", "2", "3"]
    assert responses[0].response.predictions[0].label == "dog"
    assert responses[1].error.code == "IMAGE_INVALID"
    assert responses[1].error.request_id == "mine"
    assert responses[2].response.predictions[0].label == "cat"


async def test_a_stream_between_two_pictures_keeps_its_place_and_nobody_waiting(
    stub: PawsightAsyncStub, gateway: Gateway
) -> None:
    call = stub.PredictStream()
    await call.write(pb.PredictStreamRequest(id="1", image=RED))
    answer = await call.read()
    assert isinstance(answer, pb.PredictStreamResponse)
    assert answer.id == "1"
    await until(lambda: gateway.admission.served == 0)
    assert gateway.admission.in_flight == 1
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


async def test_an_unforeseen_failure_in_a_stream_tells_nothing(
    stub: PawsightAsyncStub, engine: FakeEngine
) -> None:
    engine.failure = ZeroDivisionError("a secret")
    call = stub.PredictStream(iter([pb.PredictStreamRequest(id="1", image=RED)]))
    (response,) = [response async for response in call]
    assert response.error.code == "INTERNAL"
    assert "secret" not in response.error.error


async def test_what_waits_is_held_once_in_its_message_alone(
    stub: PawsightAsyncStub, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of the pictures would hold them a second time for as long as the call waits."""
    given: list[Sequence[bytes]] = []
    predict = gateway.predict

    async def seen(
        name: str, version: str, pictures: Sequence[bytes], deadline: Deadline
    ) -> Predictions:
        given.append(pictures)
        return await predict(name, version, pictures, deadline)

    monkeypatch.setattr(gateway, "predict", seen)
    await stub.Predict(pb.PredictRequest(images=[RED, BLUE]))
    assert not isinstance(given[0], list)
