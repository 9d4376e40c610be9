"""A caller who leaves: what it asked for is cancelled, and what had not started never runs."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from tritonclient.grpc import service_pb2 as oip
from tritonclient.grpc.service_pb2_grpc import (
    GRPCInferenceServiceStub,
)

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import PawsightStub
from pawsight_serving.addresses import Address
from tests.serving.fakes import SIDE, picture
from tests.serving.waiting import until

if TYPE_CHECKING:
    import grpc

    from pawsight_serving.gateway.core import Gateway
    from pawsight_serving.gateway.metrics import Metrics
    from pawsight_serving.requests.byte_budget import ByteBudget
    from tests.serving.fakes import FakeEngine
    from tests.serving.gateway.conftest import FakeExplainer

RED = picture("red")
HERE = Address("127.0.0.1", 0)
PIXELS = json.dumps(
    {
        "inputs": [
            {
                "name": "image",
                "datatype": "UINT8",
                "shape": [1, SIDE, SIDE, 3],
                "data": [0] * (SIDE * SIDE * 3),
            }
        ]
    }
).encode()


def asked_of(what: str, engine: FakeEngine, explainer: FakeExplainer) -> FakeEngine:
    return explainer.engine if what == "explain" else engine


async def no_place_is_held(gateway: Gateway) -> None:
    await until(lambda: not gateway.admission.in_flight and not gateway.explain_admission.in_flight)


async def counted(metrics: Metrics, method: str) -> None:
    """Wait until the request is counted as cancelled, within a bound."""
    labels = f'code="CANCELLED",method="{method}"'
    await until(lambda: labels in metrics.exposition().decode())


@pytest.mark.parametrize(
    ("what", "path", "body"),
    [
        ("predict", "/v1/models/tiny:predict", RED),
        ("explain", "/v1/models/tiny:explain", RED),
        ("infer", "/v2/models/tiny/infer", PIXELS),
    ],
)
async def test_over_http(
    http_address: Address,
    gateway: Gateway,
    engine: FakeEngine,
    explainer: FakeExplainer,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
    what: str,
    path: str,
    body: bytes,
) -> None:
    asked = asked_of(what, engine, explainer)
    before = len(asked.asked)
    asked.may_answer.clear()
    _, writer = await asyncio.open_connection(*http_address)
    head = f"POST {path} HTTP/1.1\r\nhost: here\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await asked.wait_asked(before + 1)
    asked.cancelled.clear()
    writer.close()
    await writer.wait_closed()
    await asyncio.wait_for(asked.cancelled.wait(), 10)
    await no_place_is_held(gateway)
    await counted(metrics, what)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("what", ["predict", "explain", "infer"])
async def test_over_grpc(
    channel: grpc.aio.Channel,
    gateway: Gateway,
    engine: FakeEngine,
    explainer: FakeExplainer,
    metrics: Metrics,
    what: str,
) -> None:
    asked = asked_of(what, engine, explainer)
    before = len(asked.asked)
    asked.may_answer.clear()
    image = oip.ModelInferRequest.InferInputTensor(name="image", datatype="BYTES", shape=[1])
    image.contents.bytes_contents.append(RED)
    calls: dict[str, Any] = {
        "predict": lambda: PawsightStub(channel).Predict(pb.PredictRequest(images=[RED])),
        "explain": lambda: PawsightStub(channel).Explain(pb.ExplainRequest(images=[RED])),
        "infer": lambda: GRPCInferenceServiceStub(channel).ModelInfer(
            oip.ModelInferRequest(model_name="tiny", inputs=[image])
        ),
    }
    call = calls[what]()
    await asked.wait_asked(before + 1)
    asked.cancelled.clear()
    call.cancel()
    with suppress(asyncio.CancelledError):
        await call
    await asyncio.wait_for(asked.cancelled.wait(), 10)
    await no_place_is_held(gateway)
    await counted(metrics, what)


async def test_a_caller_who_leaves_amid_its_body_gives_its_place_back(
    http_address: Address, gateway: Gateway, engine: FakeEngine, bytes_held: ByteBudget
) -> None:
    before = len(engine.asked)
    _, writer = await asyncio.open_connection(*http_address)
    writer.write(
        b"POST /v1/models/tiny:predict HTTP/1.1\r\nhost: here\r\ncontent-length: 9000\r\n\r\nxxx"
    )
    await until(lambda: bytes_held.held == 3)
    writer.close()
    await no_place_is_held(gateway)
    assert bytes_held.held == 0
    assert not [asked for asked in engine.asked[before:] if asked[2] != ("probabilities",)]


async def test_bodies_over_the_bound_together_are_refused_while_they_come(
    http_address: Address, gateway: Gateway, bytes_held: ByteBudget
) -> None:
    """Each body is within the limit of one; together they are over that of all."""
    with gateway.admission.place(25_000):
        reader, writer = await asyncio.open_connection(*http_address)
        writer.write(
            b"POST /v1/models/tiny:predict HTTP/1.1\r\nhost: here\r\n"
            b"content-length: 9000\r\n\r\n" + b"x" * 9000
        )
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 429")
    assert b"retry-after: 1" in answer
    await no_place_is_held(gateway)
    assert bytes_held.held == 0
