"""Triton's own clients, as they are, against the gateway: both protocols, blocking and asyncio."""

from __future__ import annotations

import asyncio
import base64
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.grpc.aio
import tritonclient.http
import tritonclient.http.aio
from tritonclient.grpc.service_pb2_grpc import add_GRPCInferenceServiceServicer_to_server
from tritonclient.utils import InferenceServerException

from pawsight_serving.addresses import Address
from pawsight_serving.gateway.grpc.open_inference import SERVICE, OpenInferenceServicer
from pawsight_serving.gateway.http.server import HttpServer
from pawsight_serving.rpc.server import RpcServer
from tests.serving.fakes import SIDE, picture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from numpy.typing import NDArray
    from starlette.applications import Starlette

    from pawsight_serving.gateway.open_inference.core import OpenInference
    from pawsight_serving.observability.observation import Observer
    from tests.serving.gateway.conftest import FakeSidecar

    Ask = Callable[..., Awaitable[Any]]

RED, BLUE = picture("red"), picture("blue")
ENCODED = np.array([RED, BLUE], dtype=np.object_)
PIXELS = np.zeros((2, SIDE, SIDE, 3), np.uint8)
PIXELS[0, ..., 0] = PIXELS[1, ..., 2] = 255

CLIENTS = {
    "http": tritonclient.http,
    "http-aio": tritonclient.http.aio,
    "grpc": tritonclient.grpc,
    "grpc-aio": tritonclient.grpc.aio,
}


@pytest.fixture
async def addresses(
    app: Starlette, open_inference: OpenInference, observer: Observer
) -> AsyncIterator[dict[str, Address]]:
    http = HttpServer(app, grace_s=1)
    servicer = OpenInferenceServicer(
        open_inference, observer, timeout_s=5, stream_requests_at_once=2
    )
    add = partial(add_GRPCInferenceServiceServicer_to_server, servicer)
    rpc = RpcServer({SERVICE: add}, 1 << 20)
    free = Address("127.0.0.1", 0)
    yield {"http": await http.start(free), "grpc": await rpc.start(free)}
    await rpc.stop(0)
    await http.stop()


@pytest.fixture(params=sorted(CLIENTS))
def library(request: pytest.FixtureRequest) -> Any:
    return CLIENTS[request.param]


@pytest.fixture
def ask(library: Any, addresses: dict[str, Address]) -> Ask:
    """Call one method of a client of its own, and return what it returns."""
    protocol = "grpc" if "grpc" in library.__name__ else "http"
    url = str(addresses[protocol])

    def blocking(method: str, *arguments: Any, **options: Any) -> Any:
        client = library.InferenceServerClient(url)
        try:
            return getattr(client, method)(*arguments, **options)
        finally:
            client.close()

    async def awaiting(method: str, *arguments: Any, **options: Any) -> Any:
        async with library.InferenceServerClient(url) as client:
            return await getattr(client, method)(*arguments, **options)

    async def in_thread(method: str, *arguments: Any, **options: Any) -> Any:
        return await asyncio.to_thread(blocking, method, *arguments, **options)

    return awaiting if library.__name__.endswith(".aio") else in_thread


def image(library: Any, values: NDArray[Any]) -> Any:
    datatype = "BYTES" if values.dtype == np.object_ else "UINT8"
    tensor = library.InferInput("image", values.shape, datatype)
    tensor.set_data_from_numpy(values)
    return tensor


@pytest.mark.parametrize("values", [ENCODED, PIXELS], ids=["encoded", "pixels"])
async def test_infer(ask: Ask, library: Any, values: NDArray[Any]) -> None:
    result = await ask("infer", "tiny", [image(library, values)], request_id="mine")
    assert result.as_numpy("probabilities").argmax(axis=1).tolist() == [1, 0]
    assert result.as_numpy("probabilities").dtype == np.float32
    assert result.as_numpy("gradcam").shape == (2, 2, 2, 2)
    response = result.get_response()
    named = response if isinstance(response, dict) else {"id": response.id}
    assert named["id"] == "mine"


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
@pytest.mark.parametrize("library", ["http", "http-aio"], indirect=True)
async def test_infer_compressed(ask: Ask, library: Any, algorithm: str) -> None:
    result = await ask(
        "infer",
        "tiny",
        [image(library, PIXELS)],
        request_compression_algorithm=algorithm,
        response_compression_algorithm=algorithm,
    )
    assert result.as_numpy("probabilities").argmax(axis=1).tolist() == [1, 0]


async def test_outputs_of_both_graphs_by_name_in_a_version(ask: Ask, library: Any) -> None:
    outputs = [library.InferRequestedOutput(name) for name in ("activation:conv1", "probabilities")]
    result = await ask(
        "infer", "tiny", [image(library, ENCODED)], model_version="1", outputs=outputs
    )
    activations = result.as_numpy("activation:conv1")
    assert activations.shape == (2, 20, 4, 4)
    assert activations[:, 7].ravel().tolist() == [7] * 32
    assert result.as_numpy("probabilities").shape == (2, 2)
    assert result.as_numpy("gradcam") is None


@pytest.mark.parametrize(("count", "given"), [(1, 1), (2, 2), (5, 2)])
async def test_probabilities_as_the_names_of_the_strongest_classes(
    ask: Ask, library: Any, count: int, given: int
) -> None:
    outputs = [
        library.InferRequestedOutput("probabilities", class_count=count),
        library.InferRequestedOutput("gradcam"),
    ]
    result = await ask("infer", "tiny", [image(library, PIXELS)], outputs=outputs)
    classes = result.as_numpy("probabilities")
    assert classes.shape == (2, given)
    named = [[text.decode().split(":") for text in row] for row in classes]
    assert [row[0][1:] for row in named] == [["1", "dog"], ["0", "cat"]]
    for row in named:
        values = [float(value) for value, _, _ in row]
        assert values == sorted(values, reverse=True)
        assert sum(values) == pytest.approx(1.0) if given == 2 else values[0] > 0.5
    assert result.as_numpy("gradcam").dtype == np.float32


async def test_other_outputs_have_no_classes(ask: Ask, library: Any) -> None:
    outputs = [library.InferRequestedOutput("gradcam", class_count=2)]
    with pytest.raises(InferenceServerException, match="read other outputs as they are") as raised:
        await ask("infer", "tiny", [image(library, PIXELS)], outputs=outputs)
    assert raised.value.status() in {"400", "StatusCode.INVALID_ARGUMENT"}


async def test_the_explain_graph_is_a_model_of_its_own(ask: Ask, library: Any) -> None:
    outputs = [library.InferRequestedOutput("gradcam:conv1")]
    result = await ask("infer", "tiny_explain", [image(library, PIXELS)], outputs=outputs)
    assert result.as_numpy("gradcam:conv1").shape == (2, 2, 4, 4)


async def test_one_bad_picture_fails_the_call_and_is_named(ask: Ask, library: Any) -> None:
    values = np.array([RED, b"nonsense"], dtype=np.object_)
    with pytest.raises(InferenceServerException, match=r"Picture 2: ") as raised:
        await ask("infer", "tiny", [image(library, values)])
    assert raised.value.status() in {"400", "StatusCode.INVALID_ARGUMENT"}


async def test_an_unknown_model(ask: Ask, library: Any) -> None:
    with pytest.raises(InferenceServerException, match="'other' is not served") as raised:
        await ask("infer", "other", [image(library, PIXELS)])
    assert raised.value.status() in {"404", "StatusCode.NOT_FOUND"}


async def test_health(ask: Ask, sidecar: FakeSidecar) -> None:
    assert await ask("is_server_live")
    assert await ask("is_server_ready")
    assert await ask("is_model_ready", "tiny")
    assert await ask("is_model_ready", "tiny_explain", "1")
    sidecar.alive = False
    assert not await ask("is_model_ready", "tiny_explain")


def as_json(library: Any) -> dict[str, Any]:
    return {"as_json": True} if "grpc" in library.__name__ else {}


async def test_metadata(ask: Ask, library: Any) -> None:
    assert (await ask("get_server_metadata", **as_json(library)))["name"] == "pawsight"
    metadata = await ask("get_model_metadata", "tiny", **as_json(library))
    assert (metadata["name"], metadata["versions"]) == ("tiny", ["1"])
    assert metadata["platform"] == "onnxruntime_onnx"
    (given,) = metadata["inputs"]
    assert (given["name"], given["datatype"]) == ("image", "UINT8")
    assert list(map(int, given["shape"])) == [-1, SIDE, SIDE, 3]
    shapes = {each["name"]: list(map(int, each["shape"])) for each in metadata["outputs"]}
    assert shapes == {"probabilities": [-1, 2], "gradcam": [-1, 2, 2, 2]}


async def test_config_statistics_and_index(ask: Ask, library: Any) -> None:
    config = await ask("get_model_config", "tiny_explain", **as_json(library))
    config = config.get("config", config)
    assert (config["name"], config["max_batch_size"]) == ("tiny_explain", 3)
    assert config["input"][0]["data_type"] == "TYPE_UINT8"
    assert list(map(int, config["output"][1]["dims"])) == [20, 4, 4]

    await ask("infer", "tiny", [image(library, PIXELS)])
    statistics = await ask("get_inference_statistics", "tiny", **as_json(library))
    (tiny,) = statistics["model_stats"]
    assert int(tiny["inference_count"]) == 2
    assert int(tiny["inference_stats"]["success"]["count"]) == 1
    everything = await ask("get_inference_statistics", **as_json(library))
    assert len(everything["model_stats"]) == 2

    index = await ask("get_model_repository_index", **as_json(library))
    models = index["models"] if isinstance(index, dict) else index
    assert [(each["name"], each["state"]) for each in models] == [
        ("tiny", "READY"),
        ("tiny_explain", "READY"),
    ]


async def test_a_stream(addresses: dict[str, Address]) -> None:
    async def requests() -> AsyncIterator[dict[str, Any]]:
        for data in (RED, b"nonsense", BLUE):
            values = np.array([data], dtype=np.object_)
            yield {"model_name": "tiny", "inputs": [image(tritonclient.grpc, values)]}

    async with tritonclient.grpc.aio.InferenceServerClient(str(addresses["grpc"])) as client:
        answers = [answer async for answer in client.stream_infer(requests())]
    assert [error is None for _, error in answers] == [True, False, True]
    assert [
        result.as_numpy("probabilities").argmax() for result, error in answers if error is None
    ] == [1, 0]


async def test_json_without_binary_tensors(addresses: dict[str, Address]) -> None:
    encoded = np.array([base64.b64encode(RED), base64.b64encode(BLUE)], dtype=np.object_)
    given = tritonclient.http.InferInput("image", [2], "BYTES")
    given.set_data_from_numpy(encoded, binary_data=False)
    wanted = [
        tritonclient.http.InferRequestedOutput("probabilities", binary_data=False),
        tritonclient.http.InferRequestedOutput("gradcam", binary_data=True),
    ]
    async with tritonclient.http.aio.InferenceServerClient(str(addresses["http"])) as client:
        result = await client.infer("tiny", [given], outputs=wanted)
        assert "data" in result.get_output("probabilities")
        assert "data" not in result.get_output("gradcam")
        assert result.as_numpy("probabilities").argmax(axis=1).tolist() == [1, 0]
        assert result.as_numpy("gradcam").shape == (2, 2, 2, 2)
