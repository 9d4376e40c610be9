"""Streams that end as they should not, and leave nothing behind."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from pawsight_client import (
    AsyncClient,
    Client,
    DeadlineExceeded,
    ImageTooLarge,
    ServerUnreachable,
)
from pawsight_client._operations import Predict
from pawsight_client._transports.grpc_streams import AsyncGrpcStream, GrpcStream
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
    stream = GrpcStream(Backwards, "grpc://host:1", timeout_s=10)
    stream.put(Predict(b"cat"))
    stream.put(Predict(b"dog"))
    assert [stream.get().label, stream.get().label] == ["cat", "dog"]
    stream.close()


def test_a_stream_that_ends_early_fails_what_waits_and_serves_what_follows() -> None:
    stream = GrpcStream(Backwards, "grpc://host:1", timeout_s=10)
    for picture in (b"cat", b"dog", b"cat"):
        stream.put(Predict(picture))
    assert [stream.get().label, stream.get().label] == ["cat", "dog"]
    with pytest.raises(ServerUnreachable):
        stream.get()
    stream.put(Predict(b"dog"))
    stream.put(Predict(b"cat"))
    assert [stream.get().label, stream.get().label] == ["dog", "cat"]
    stream.close()


class Ending:
    """A call whose status comes when no more requests do; it notes whether it was cancelled."""

    def __init__(self, requests: Iterator[pb.PredictStreamRequest] | None = None) -> None:
        self._requests = requests
        self._written: asyncio.Queue[str] = asyncio.Queue()
        self._cancelled = threading.Event()
        self.ended_uncancelled = False

    def __iter__(self) -> Iterator[pb.PredictStreamResponse]:
        assert self._requests
        for request in self._requests:
            yield self._answer(request.id)
        self.ended_uncancelled = not self._cancelled.wait(0.2)

    async def write(self, request: pb.PredictStreamRequest) -> None:
        self._written.put_nowait(request.id)

    async def read(self) -> pb.PredictStreamResponse:
        return self._answer(await self._written.get())

    async def done_writing(self) -> None:
        self._done = True

    async def code(self) -> grpc.StatusCode:
        await asyncio.sleep(0)
        self.ended_uncancelled = self._done and not self._cancelled.is_set()
        return grpc.StatusCode.OK

    def cancel(self) -> None:
        self._cancelled.set()

    def _answer(self, identity: str) -> pb.PredictStreamResponse:
        response = pb.PredictResponse(predictions=[pb.Prediction(label="cat", score=1.0)])
        return pb.PredictStreamResponse(id=identity, response=response)


@pytest.mark.parametrize("answered", [True, False])
def test_a_stream_that_is_answered_ends_with_its_status(answered: bool) -> None:
    calls: list[Ending] = []

    def call(requests: Iterator[pb.PredictStreamRequest]) -> Ending:
        calls.append(Ending(requests))
        return calls[-1]

    stream = GrpcStream(call, "grpc://host:1", 10)
    stream.put(Predict(b"cat"))
    if answered:
        stream.get()
    stream.close()
    assert calls[0].ended_uncancelled is answered


@pytest.mark.parametrize("answered", [True, False])
async def test_an_asynchronous_stream_ends_with_its_status_too(answered: bool) -> None:
    call = Ending()
    stream = AsyncGrpcStream(lambda: call, "grpc://host:1", 10)
    await stream.put(Predict(b"cat"))
    if answered:
        await stream.get()
    await stream.close()
    assert call.ended_uncancelled is answered


class OfOthers:
    """A call whose server goes on answering pictures that nobody sent."""

    def __init__(self, requests: Iterator[pb.PredictStreamRequest] | None = None) -> None:
        self._cancelled = threading.Event()

    def __iter__(self) -> Iterator[pb.PredictStreamResponse]:
        while not self._cancelled.wait(0.02):
            yield pb.PredictStreamResponse(id="another")

    async def write(self, request: pb.PredictStreamRequest) -> None:
        pass

    async def read(self) -> pb.PredictStreamResponse:
        await asyncio.sleep(0.02)
        return pb.PredictStreamResponse(id="another")

    async def done_writing(self) -> None:
        pass

    async def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.CANCELLED

    def cancel(self) -> None:
        self._cancelled.set()


@pytest.mark.timeout(10)
def test_answers_to_other_pictures_are_no_reason_to_wait_longer() -> None:
    stream = GrpcStream(OfOthers, "grpc://host:1", timeout_s=0.2)
    stream.put(Predict(b"cat"))
    with pytest.raises(DeadlineExceeded):
        stream.get()
    stream.close()


@pytest.mark.timeout(10)
async def test_nor_are_they_to_an_asynchronous_stream() -> None:
    stream = AsyncGrpcStream(OfOthers, "grpc://host:1", timeout_s=0.2)
    await stream.put(Predict(b"cat"))
    with pytest.raises(DeadlineExceeded):
        await stream.get()
    await stream.close()


async def test_bytes_that_are_no_message_end_a_stream() -> None:
    """For such, gRPC reads None."""

    class Garbled(OfOthers):
        async def read(self) -> Any:
            return None

    stream = AsyncGrpcStream(Garbled, "grpc://host:1", timeout_s=10)
    await stream.put(Predict(b"cat"))
    with pytest.raises(ServerUnreachable):
        await stream.get()
    await stream.close()


@pytest.fixture
def grpc_url(stand: Stand, twin: Twin) -> str:
    return stand.urls["grpc"]


def test_a_picture_over_the_transports_limit_fails_alone(flavour: Any, grpc_url: str) -> None:
    """What gRPC does with a message over its 4 MiB is to end the call that all share."""
    pictures = [b"cat", b"dog" + bytes(5 * 2**20), b"dog"]
    with flavour(grpc_url) as client:
        answers = list(client.predict_many(pictures, on_error="return"))
    assert [getattr(each, "label", type(each)) for each in answers] == ["cat", ImageTooLarge, "dog"]


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
