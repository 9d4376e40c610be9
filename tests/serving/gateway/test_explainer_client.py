from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1 import pawsight_pb2_grpc
from pawsight_serving.addresses import Address
from pawsight_serving.errors import (
    DeadlineExceeded,
    ExplainerUnavailable,
    InternalError,
    LayerUnknown,
)
from pawsight_serving.explanations.queries import Query
from pawsight_serving.gateway.explainer_client import ExplainerClient
from pawsight_serving.messages.tensors import tensor_message
from pawsight_serving.observability.observation import Observer, stage
from pawsight_serving.requests.calls import Call, cancel_for_shutdown
from pawsight_serving.requests.deadlines import Deadline
from pawsight_serving.rpc.methods import unary
from pawsight_serving.rpc.server import RpcServer
from tests.slow_connection import slow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import grpc


async def explain(client: ExplainerClient, query: Query, call: Call) -> pb.ExplainResponse:
    return await client.explain(query, [b"x"], call, tensors=False)


class Servicer(pawsight_pb2_grpc.ExplainerServicer):
    """Does what its request's layer says."""

    timeout_s = 10.0
    observer = Observer()

    def __init__(self) -> None:
        self.busy = asyncio.Event()

    @unary
    async def Explain(self, request: pb.ExplainRequest, call: Call) -> pb.ExplainResponse:  # noqa: N802
        if request.layer == "unknown":
            raise LayerUnknown("unknown", ("conv1",))
        if request.layer == "slow":
            self.busy.set()
            await asyncio.Event().wait()
        with stage("render"):
            pass
        return pb.ExplainResponse(
            request_id=call.request_id, version=str(call.deadline.remaining_s())
        )

    @unary
    async def Infer(self, request: pb.InferRequest, call: Call) -> pb.InferResponse:  # noqa: N802
        values = np.frombuffer(request.pixels, np.uint8).astype(np.float32)
        return pb.InferResponse(
            tensors=[tensor_message(name, values[None]) for name in request.outputs],
            digest=f"{request.graph} {request.version} {call.request_id}",
        )

    async def GetMetrics(  # noqa: N802
        self,
        request: pb.GetMetricsRequest,
        context: grpc.aio.ServicerContext[pb.GetMetricsRequest, pb.Metrics],
    ) -> pb.Metrics:
        return pb.Metrics(text=b"told 1.0\n")


@pytest.fixture
def servicer() -> Servicer:
    return Servicer()


@pytest.fixture
async def server(servicer: Servicer) -> AsyncIterator[RpcServer]:
    add = partial(pawsight_pb2_grpc.add_ExplainerServicer_to_server, servicer)
    server = RpcServer({"pawsight.v1.Explainer": add}, 1 << 20)
    yield server
    await server.stop(0)


@pytest.fixture
async def address(server: RpcServer) -> Address:
    return await server.start(Address("127.0.0.1", 0))


@pytest.fixture
async def client(address: Address) -> AsyncIterator[ExplainerClient]:
    client = ExplainerClient()
    await client.connect(address)
    yield client
    await client.disconnect()


async def test_the_id_and_what_is_left_of_the_deadline_go_along(client: ExplainerClient) -> None:
    response = await explain(client, Query(), Call("mine", Deadline.after(2)))
    assert response.request_id == "mine"
    assert 0 < float(response.version) < 2.5


async def test_the_sidecars_error_is_raised_as_it_was(client: ExplainerClient) -> None:
    with pytest.raises(LayerUnknown, match=r"^Layer 'unknown' is not one of: conv1\.$"):
        await explain(client, Query(layer="unknown"), Call("id", Deadline.after(5)))


async def test_what_the_servers_end_cuts_off_is_not_taken_for_the_sidecars_end(
    client: ExplainerClient, servicer: Servicer
) -> None:
    asked = asyncio.create_task(
        explain(client, Query(layer="slow"), Call("id", Deadline.after(20)))
    )
    await asyncio.wait_for(servicer.busy.wait(), 10)
    cancel_for_shutdown(asked)
    with pytest.raises(asyncio.CancelledError):
        await asked


async def test_the_time_that_the_sidecar_took_is_added_to_the_requests(
    client: ExplainerClient,
) -> None:
    with Observer().request("http", "explain", "mine") as observed:
        await explain(client, Query(), Call("mine", Deadline.after(5)))
    assert list(observed.times()) == ["render"]


async def test_an_error_of_the_transport_is_unforeseen(client: ExplainerClient) -> None:
    too_large = [b"x" * (1 << 20)]
    with pytest.raises(InternalError, match="report the request id"):
        await client.explain(Query(), too_large, Call("id", Deadline.after(5)), tensors=False)


async def test_the_deadline_ends_the_wait(client: ExplainerClient) -> None:
    with pytest.raises(DeadlineExceeded):
        await explain(client, Query(layer="slow"), Call("id", Deadline.after(0.1)))


async def test_where_nobody_listens_it_is_unavailable() -> None:
    client = ExplainerClient()
    with pytest.raises(ExplainerUnavailable):
        await explain(client, Query(), Call("id", Deadline.after(5)))
    await client.connect(Address("127.0.0.1", 1))
    with pytest.raises(ExplainerUnavailable):
        await explain(client, Query(), Call("id", Deadline.after(5)))
    await client.disconnect()


async def test_a_call_under_way_fails_clearly_when_the_sidecar_is_lost(
    client: ExplainerClient, servicer: Servicer
) -> None:
    under_way = asyncio.create_task(
        explain(client, Query(layer="slow"), Call("id", Deadline.after(5)))
    )
    await asyncio.wait_for(servicer.busy.wait(), 5)
    await client.disconnect()
    with pytest.raises(ExplainerUnavailable):
        await under_way


async def test_a_caller_who_leaves_is_not_held(client: ExplainerClient, servicer: Servicer) -> None:
    under_way = asyncio.create_task(
        explain(client, Query(layer="slow"), Call("id", Deadline.after(5)))
    )
    await asyncio.wait_for(servicer.busy.wait(), 5)
    under_way.cancel()
    with pytest.raises(asyncio.CancelledError):
        await under_way


async def test_a_graphs_outputs_come_back_as_arrays(client: ExplainerClient) -> None:
    images = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    call = Call("mine", Deadline.after(5))
    outputs = await client.infer("tiny_explain", "3", images, ("one", "two"), call)
    assert outputs.digest == "tiny_explain 3 mine"
    assert list(outputs.values) == ["one", "two"]
    np.testing.assert_array_equal(outputs.values["two"], [np.arange(12)])


async def test_what_the_sidecar_tells_prometheus_is_passed_on_while_it_is_there(
    client: ExplainerClient, server: RpcServer
) -> None:
    assert await client.metrics() == b"told 1.0\n"
    await server.stop(0)
    assert await client.metrics() == b""
    assert await ExplainerClient().metrics() == b""


async def test_readiness_is_what_the_sidecar_says_of_each_model(
    client: ExplainerClient, server: RpcServer
) -> None:
    server.set_ready(True)
    assert not await client.ready("tiny")
    server.set_models_ready({"tiny": True, "other": False})
    assert await client.ready("tiny")
    assert not await client.ready("other")
    await server.stop(0)
    assert not await client.ready("tiny")
    await client.disconnect()
    assert not await client.ready("tiny")
    assert not await ExplainerClient().ready("tiny")


async def test_a_slow_way_to_the_sidecar_is_a_way(address: Address) -> None:
    client = ExplainerClient()
    async with slow(*address, 0.6) as port:
        await client.connect(Address("127.0.0.1", port))
        response = await explain(client, Query(), Call("mine", Deadline.after(10)))
        await client.disconnect()
    assert response.request_id == "mine"
