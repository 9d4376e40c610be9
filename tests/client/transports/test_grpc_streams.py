"""Streams that end as they should not, and leave nothing behind."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import grpc
import pytest

from pawsight_client import AsyncClient, Client, ServerUnreachable
from pawsight_client._operations import Predict
from pawsight_client._transports.grpc_streams import GrpcStream
from pawsight_proto.v1 import pawsight_pb2 as pb
from tests.client.twin import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.client.twin import Stand, Twin

BROKEN = Failure("", 503, grpc.StatusCode.UNAVAILABLE)


class Backwards:
    """A call whose server answers two pictures in the wrong order, and ends."""

    def __init__(self, requests: Iterator[pb.PredictStreamRequest]) -> None:
        self._requests = requests

    def __iter__(self) -> Iterator[pb.PredictStreamResponse]:
        two = [next(self._requests), next(self._requests)]
        for request in reversed(two):
            prediction = pb.Prediction(label=request.image.decode(), score=1.0)
            response = pb.PredictResponse(predictions=[prediction])
            yield pb.PredictStreamResponse(id=request.id, response=response)

    def cancel(self) -> None:
        pass


def test_answers_find_their_pictures_by_id() -> None:
    stream = GrpcStream(Backwards, "host:1", timeout_s=10)
    stream.put(Predict(b"cat"))
    stream.put(Predict(b"dog"))
    assert [stream.get().label, stream.get().label] == ["cat", "dog"]
    stream.close()


def test_a_stream_that_ends_early_fails_what_waits_and_serves_what_follows() -> None:
    stream = GrpcStream(Backwards, "host:1", timeout_s=10)
    for picture in (b"cat", b"dog", b"cat"):
        stream.put(Predict(picture))
    assert [stream.get().label, stream.get().label] == ["cat", "dog"]
    with pytest.raises(ServerUnreachable):
        stream.get()
    stream.put(Predict(b"dog"))
    stream.put(Predict(b"cat"))
    assert [stream.get().label, stream.get().label] == ["dog", "cat"]
    stream.close()


@pytest.fixture
def grpc_url(stand: Stand, twin: Twin) -> str:
    return stand.urls["grpc"]


def readers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "pawsight-client"]


def test_no_thread_is_left_behind(grpc_url: str, twin: Twin) -> None:
    with Client(grpc_url) as client:
        list(client.predict_many([b"cat"] * 3))
        abandoned = client.predict_many([b"cat"] * 20)
        next(abandoned)
        abandoned.close()
        twin.failures.append(BROKEN)
        list(client.predict_many([b"cat"] * 5, in_flight=2))
        assert readers() == []


async def test_no_task_is_left_behind(grpc_url: str, twin: Twin) -> None:
    async with AsyncClient(grpc_url) as client:
        before = asyncio.all_tasks()
        _ = [each async for each in client.predict_many([b"cat"] * 3)]
        abandoned = client.predict_many([b"cat"] * 20)
        await anext(abandoned)
        await abandoned.aclose()
        for _ in range(10):
            twin.failures.append(BROKEN)
            _ = [each async for each in client.predict_many([b"cat"] * 5, in_flight=2)]
        # A call that was given up ends a turn of the loop later.
        if ending := asyncio.all_tasks() - before:
            _, left_behind = await asyncio.wait(ending, timeout=5)
            assert not left_behind
