"""Many pictures in one request keep their order, and a bad one is named by its place."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as oip
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import PawsightStub
from tests.serving.fakes import picture
from tests.serving.grpc_client import trailing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import httpx

    from pawsight_serving.gateway.core import Gateway

    Labels = Callable[[list[bytes]], Awaitable[list[str]]]

RED, BLUE, BAD = picture("red"), picture("blue"), b"no picture"
PREDICT, INFER = "/v1/models/tiny:predict", "/v2/models/tiny/infer"


class Failed(Exception):
    """A request that failed: its sentence and code."""


def named(rows: Any) -> list[str]:
    return [("cat", "dog")[int(row.argmax())] for row in np.reshape(rows, (-1, 2))]


class Over:
    """One way to send many pictures each."""

    def __init__(self, http: httpx.AsyncClient, channel: grpc.aio.Channel) -> None:
        self.http, self.channel = http, channel

    async def multipart(self, pictures: list[bytes]) -> list[str]:
        return self._v1(await self.http.post(PREDICT, files=[("image", each) for each in pictures]))

    async def instances(self, pictures: list[bytes]) -> list[str]:
        sent = [{"b64": base64.b64encode(each).decode()} for each in pictures]
        return self._v1(await self.http.post(PREDICT, json={"instances": sent}))

    async def v2_json(self, pictures: list[bytes]) -> list[str]:
        data = [base64.b64encode(each).decode() for each in pictures]
        return self._v2(await self.http.post(INFER, json={"inputs": [self._image(data=data)]}))

    async def v2_binary(self, pictures: list[bytes]) -> list[str]:
        raw = b"".join(len(each).to_bytes(4, "little") + each for each in pictures)
        image = self._image(parameters={"binary_data_size": len(raw)}, shape=[len(pictures)])
        head = json.dumps({"inputs": [image]}).encode()
        headers = {"inference-header-content-length": str(len(head))}
        return self._v2(await self.http.post(INFER, content=head + raw, headers=headers))

    async def grpc(self, pictures: list[bytes]) -> list[str]:
        response = await PawsightStub(self.channel).Predict(pb.PredictRequest(images=pictures))
        return [each.label for each in response.predictions]

    async def v2_grpc(self, pictures: list[bytes]) -> list[str]:
        image = oip.ModelInferRequest.InferInputTensor(
            name="image", datatype="BYTES", shape=[len(pictures)]
        )
        image.contents.bytes_contents.extend(pictures)
        wanted = oip.ModelInferRequest.InferRequestedOutputTensor(name="probabilities")
        response = await GRPCInferenceServiceStub(self.channel).ModelInfer(
            oip.ModelInferRequest(model_name="tiny", inputs=[image], outputs=[wanted])
        )
        return named(np.frombuffer(response.raw_output_contents[0], "<f4"))

    def _image(self, **fields: object) -> dict[str, object]:
        data = fields.get("data")
        shape = [len(data)] if isinstance(data, list) else fields.pop("shape")
        return {"name": "image", "datatype": "BYTES", "shape": shape, **fields}

    def _v1(self, answer: httpx.Response) -> list[str]:
        self._check(answer)
        return [each["label"] for each in answer.json()["predictions"]]

    def _v2(self, answer: httpx.Response) -> list[str]:
        self._check(answer)
        return named(np.array(answer.json()["outputs"][0]["data"]))

    def _check(self, answer: httpx.Response) -> None:
        if answer.status_code != 200:
            raise Failed(answer.json()["code"], answer.json()["error"])


@pytest.fixture(params=["multipart", "instances", "v2_json", "v2_binary", "grpc", "v2_grpc"])
def labels(
    request: pytest.FixtureRequest, http: httpx.AsyncClient, channel: grpc.aio.Channel
) -> Labels:
    way: Labels = getattr(Over(http, channel), request.param)

    async def ask(pictures: list[bytes]) -> list[str]:
        try:
            return await way(pictures)
        except grpc.aio.AioRpcError as error:
            raise Failed(trailing(error)["pawsight-code"], error.details()) from error

    return ask


async def test_answers_are_in_the_order_of_the_pictures(labels: Labels) -> None:
    assert await labels([RED, BLUE, RED]) == ["dog", "cat", "dog"]
    assert await labels([BLUE]) == ["cat"]


@pytest.mark.parametrize("place", [1, 2, 3])
async def test_a_bad_picture_is_named_by_its_place(labels: Labels, place: int) -> None:
    pictures = [RED, BLUE, RED]
    pictures[place - 1] = BAD
    with pytest.raises(Failed) as raised:
        await labels(pictures)
    code, sentence = raised.value.args
    assert code == "IMAGE_INVALID"
    assert sentence.startswith(f"Picture {place}: ")


async def test_more_than_a_request_may_hold(labels: Labels) -> None:
    with pytest.raises(Failed, match="3") as raised:
        await labels([RED] * 4)
    assert raised.value.args[0] == "REQUEST_INVALID"


async def test_in_a_stream_a_bad_picture_fails_alone_and_the_order_is_kept(
    channel: grpc.aio.Channel, gateway: Gateway
) -> None:
    sent = [RED, BAD, BLUE, b"", RED, picture("red", (60, 60), "BMP")]

    async def requests() -> AsyncIterator[pb.PredictStreamRequest]:
        for number, image in enumerate(sent):
            yield pb.PredictStreamRequest(id=str(number), model="tiny", image=image)
        await seen.wait()

    seen = asyncio.Event()
    answers = []
    async for answer in PawsightStub(channel).PredictStream(requests()):
        failed = answer.HasField("error")
        said = answer.error.code if failed else answer.response.predictions[0].label
        answers.append((answer.id, said))
        if len(answers) == len(sent):
            # However many pictures it brought, an open stream holds one place.
            assert gateway.admission.in_flight == 1
            seen.set()
    assert answers == [
        ("0", "dog"),
        ("1", "IMAGE_INVALID"),
        ("2", "cat"),
        ("3", "IMAGE_MISSING"),
        ("4", "dog"),
        ("5", "IMAGE_TOO_LARGE"),
    ]
