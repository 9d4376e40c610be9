"""Every error case over every protocol: exactly the status, the code and the form that it has.

Gateway and explainer are real, behind sockets; only their engines are fakes.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest
import pytest_asyncio
from tritonclient.grpc import service_pb2 as oip
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import PawsightStub
from pawsight_serving.addresses import Address
from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.security.api_keys import make_key
from tests.serving.fakes import FakeEngine, picture
from tests.serving.gateway.test_main import explaining, make_settings, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pawsight_serving.gateway.serving_summary import ServingSummary

pytestmark = pytest.mark.asyncio(loop_scope="module")

RED = picture("red")
SHARED = {"max_picture_bytes": 10_000, "max_picture_pixels": 10_000, "probe_interval_s": 60}
STATUS = grpc.StatusCode


@dataclass
class Served:
    """A gateway, and the engine that it runs on."""

    at: ServingSummary
    engine: FakeEngine


@dataclass(frozen=True)
class Ask:
    """What is asked for, whatever the protocol."""

    pictures: list[bytes] = field(default_factory=lambda: [RED])
    model: str = "tiny"
    version: str = ""
    explain: dict[str, str] | None = None
    outputs: tuple[str, ...] = ("probabilities",)
    timeout_s: float | None = None


@dataclass(frozen=True)
class Outcome:
    """How it was answered."""

    status: Any
    code: str
    retry: bool


async def over_http(served: Served, ask: Ask) -> Outcome:
    version = f"/versions/{ask.version}" if ask.version else ""
    action = "predict" if ask.explain is None else "explain"
    path = f"/v1/models/{ask.model}{version}:{action}"
    if len(ask.pictures) == 1:
        sent: dict[str, Any] = {"content": ask.pictures[0]}
    else:
        sent = {"files": [("image", each) for each in ask.pictures] or [("other", b"x")]}
    return await answered(served, path, ask, params=ask.explain or {}, **sent)


async def over_v2(served: Served, ask: Ask) -> Outcome:
    version = f"/versions/{ask.version}" if ask.version else ""
    data = [base64.b64encode(each).decode() for each in ask.pictures]
    image = {"name": "image", "datatype": "BYTES", "shape": [len(data)], "data": data}
    body = {"inputs": [image], "outputs": [{"name": name} for name in ask.outputs]}
    return await answered(served, f"/v2/models/{ask.model}{version}/infer", ask, json=body)


async def answered(served: Served, path: str, ask: Ask, **sent: Any) -> Outcome:
    headers = {"x-request-id": "mine"}
    if ask.timeout_s is not None:
        headers["x-request-timeout"] = str(ask.timeout_s)
    async with httpx.AsyncClient(base_url=f"http://{served.at.http}", timeout=20) as http:
        return read(await http.post(path, headers=headers, **sent))


def read(answer: httpx.Response) -> Outcome:
    """Check the form of an error's answer."""
    body = answer.json()
    assert set(body) == {"error", "code", "request_id"}
    assert (body["request_id"], answer.headers["x-request-id"]) == ("mine", "mine")
    a_sentence(body["error"])
    return Outcome(answer.status_code, body["code"], "retry-after" in answer.headers)


def a_sentence(text: str) -> None:
    assert text.endswith(".")
    assert text[0].isupper()
    for leak in ("Traceback", "Error:", "/serving/", ".py", "PIL", "onnx"):
        assert leak not in text


async def over_grpc(served: Served, ask: Ask) -> Outcome:
    async with grpc.aio.insecure_channel(str(served.at.grpc)) as channel:
        stub = PawsightStub(channel)
        named: dict[str, Any] = {"model": ask.model, "version": ask.version}
        named |= {"images": ask.pictures, **(ask.explain or {})}
        call: Any = (
            stub.Predict(pb.PredictRequest(**named), **options(ask))
            if ask.explain is None
            else stub.Explain(pb.ExplainRequest(**named), **options(ask))
        )
        return await refused(call, ask)


async def over_v2_grpc(served: Served, ask: Ask) -> Outcome:
    image = oip.ModelInferRequest.InferInputTensor(
        name="image", datatype="BYTES", shape=[len(ask.pictures)]
    )
    image.contents.bytes_contents.extend(ask.pictures)
    wanted = [oip.ModelInferRequest.InferRequestedOutputTensor(name=name) for name in ask.outputs]
    request = oip.ModelInferRequest(
        model_name=ask.model, model_version=ask.version, inputs=[image], outputs=wanted
    )
    async with grpc.aio.insecure_channel(str(served.at.grpc)) as channel:
        call = GRPCInferenceServiceStub(channel).ModelInfer(request, **options(ask))
        return await refused(call, ask)


def options(ask: Ask) -> dict[str, Any]:
    return {"metadata": (("x-request-id", "mine"),), "timeout": ask.timeout_s or 20}


async def refused(call: Any, ask: Ask) -> Outcome:
    """Check the form of a status."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    trailing = {key: str(value) for key, value in raised.value.trailing_metadata()}
    status = raised.value.code()
    if status is STATUS.DEADLINE_EXCEEDED and "pawsight-code" not in trailing:
        return Outcome(status, "DEADLINE_EXCEEDED", False)  # the caller's own clock was first
    assert trailing["x-request-id"] == "mine"
    a_sentence(raised.value.details() or "")
    return Outcome(status, trailing["pawsight-code"], "retry-after" in trailing)


WAYS = {"http": over_http, "v2": over_v2, "grpc": over_grpc, "v2-grpc": over_v2_grpc}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncIterator[Served]:
    engine = FakeEngine()
    async with (
        explaining(None, **SHARED) as explainer,
        running(make_settings(explainer=explainer, max_in_flight=3, **SHARED), engine) as gateway,
    ):
        yield Served(gateway, engine)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def check(
    served: Served, way: str, ask: Ask, http: int, status: grpc.StatusCode, *codes: str
) -> None:
    outcome = await WAYS[way](served, ask)
    assert outcome.status == (status if "grpc" in way else http)
    assert outcome.code in codes
    assert outcome.retry == (http in {429, 503})


@pytest.mark.parametrize(
    ("pictures", "code"),
    [
        ([b"not a picture"], "IMAGE_INVALID"),
        ([RED[: len(RED) // 2]], "IMAGE_INVALID"),
        ([picture(kind="JPEG")[:-40]], "IMAGE_INVALID"),
        ([picture(kind="PPM")], "IMAGE_INVALID"),
        ([RED, b"not a picture"], "IMAGE_INVALID"),
        ([b""], "IMAGE_MISSING"),
        ([], "IMAGE_MISSING"),
    ],
)
async def test_pictures_that_are_none(
    served: Served, way: str, pictures: list[bytes], code: str
) -> None:
    await check(served, way, Ask(pictures), 400, STATUS.INVALID_ARGUMENT, code)


@pytest.mark.parametrize(
    ("explain", "output", "code"),
    [
        ({"method": "magic"}, "magic", "OPTION_INVALID"),
        ({"layer": "conv9"}, "gradcam:conv9", "LAYER_UNKNOWN"),
        ({"layer": "pool1"}, "gradcam:pool1", "LAYER_UNKNOWN"),
        ({"target": "cow"}, "probabilities:cow", "TARGET_UNKNOWN"),
    ],
)
async def test_options_that_do_not_fit(
    served: Served, way: str, explain: dict[str, str], output: str, code: str
) -> None:
    ask = Ask(explain=explain, outputs=(output,))
    expected = "OPTION_INVALID" if "v2" in way else code
    await check(served, way, ask, 400, STATUS.INVALID_ARGUMENT, expected)


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (Ask(model="tinier"), "MODEL_NOT_FOUND"),
        (Ask(version="9"), "VERSION_NOT_FOUND"),
        (Ask(model="tinier", explain={}), "MODEL_NOT_FOUND"),
        (Ask(version="9", explain={}), "VERSION_NOT_FOUND"),
    ],
)
async def test_what_is_not_served(served: Served, way: str, ask: Ask, code: str) -> None:
    await check(served, way, ask, 404, STATUS.NOT_FOUND, code)


@pytest.mark.parametrize("path", ["/v3", "/v1/models/tiny:guess", "/v2/models/tiny/guess"])
async def test_a_route_that_is_none(served: Served, path: str) -> None:
    outcome = await answered(served, path, Ask(), content=b"x")
    assert outcome == Outcome(404, "ROUTE_NOT_FOUND", retry=False)


@pytest.mark.parametrize("explain", [None, {}])
@pytest.mark.parametrize("too_large", [b"x" * 10_001, picture(size=(200, 100))])
async def test_too_large(
    served: Served, way: str, too_large: bytes, explain: dict[str, str] | None
) -> None:
    ask = Ask([too_large], explain=explain)
    await check(served, way, ask, 413, STATUS.INVALID_ARGUMENT, "IMAGE_TOO_LARGE")


async def test_over_the_transports_own_limit(served: Served) -> None:
    ask = Ask([b"x" * (64 * 1024 * 1024 + 1)])
    async with grpc.aio.insecure_channel(str(served.at.grpc)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await PawsightStub(channel).Predict(pb.PredictRequest(images=ask.pictures))
    assert raised.value.code() is STATUS.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml"])
async def test_a_media_type_that_is_not_read(served: Served, media_type: str) -> None:
    headers = {"content-type": media_type, "x-request-id": "mine"}
    async with httpx.AsyncClient(base_url=f"http://{served.at.http}") as http:
        for action in ("predict", "explain"):
            path = f"/v1/models/tiny:{action}"
            outcome = read(await http.post(path, content=RED, headers=headers))
            assert outcome == Outcome(415, "MEDIA_TYPE_UNSUPPORTED", retry=False)


async def test_no_key_where_keys_are_set(
    way: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(make_key("alice")[1])
    async with running(make_settings(api_keys=keys), FakeEngine()) as gateway:
        locked = Served(gateway, FakeEngine())
        await check(locked, way, Ask(), 401, STATUS.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_too_many_in_flight(served: Served, way: str) -> None:
    engine = served.engine
    asked = len(engine.asked)
    engine.may_answer.clear()
    async with grpc.aio.insecure_channel(str(served.at.grpc)) as channel:
        stub = PawsightStub(channel)
        held = [
            asyncio.ensure_future(stub.Predict(pb.PredictRequest(images=[RED]))) for _ in range(3)
        ]
        try:
            await engine.wait_asked(asked + 3)
            await check(served, way, Ask(), 429, STATUS.RESOURCE_EXHAUSTED, "OVERLOADED")
        finally:
            engine.may_answer.set()
            await asyncio.gather(*held)


async def test_the_answer_would_come_too_late(served: Served, way: str) -> None:
    engine, hasty = served.engine, Ask(timeout_s=1)
    asked = len(engine.asked)
    engine.may_answer.clear()
    async with grpc.aio.insecure_channel(str(served.at.grpc)) as channel:
        held = asyncio.ensure_future(PawsightStub(channel).Predict(pb.PredictRequest(images=[RED])))
        try:
            await engine.wait_asked(asked + 1)
            await WAYS[way](served, hasty)
            # By now nothing has moved for as long as this one may take.
            await check(served, way, hasty, 429, STATUS.RESOURCE_EXHAUSTED, "OVERLOADED")
        finally:
            engine.may_answer.set()
            await held


async def test_the_engine_is_down(served: Served, way: str) -> None:
    served.engine.failure = EngineUnavailable("The engine is down; try again in a moment.")
    try:
        await check(served, way, Ask(), 503, STATUS.UNAVAILABLE, "ENGINE_UNAVAILABLE")
    finally:
        served.engine.failure = None


async def test_the_sidecar_is_down(way: str) -> None:
    nowhere = Address("127.0.0.1", 1)
    ask = Ask(explain={}, outputs=("gradcam:conv1",))
    async with running(make_settings(explainer=nowhere), FakeEngine()) as gateway:
        alone = Served(gateway, FakeEngine())
        await check(alone, way, ask, 503, STATUS.UNAVAILABLE, "EXPLAINER_UNAVAILABLE")


async def test_the_deadline_passes(served: Served, way: str) -> None:
    served.engine.may_answer.clear()
    try:
        ask = Ask(timeout_s=0.2)
        await check(served, way, ask, 504, STATUS.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
    finally:
        served.engine.may_answer.set()
