from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import grpc
import pytest

from pawsight_proto.v1.pawsight_pb2_grpc import (
    PawsightServicer,
    add_PawsightServicer_to_server,
)
from pawsight_serving.addresses import Address
from pawsight_serving.errors import AddressUnavailable
from pawsight_serving.rpc.call_limits import CallLimits
from pawsight_serving.rpc.server import RpcServer, ServerOptions
from tests.serving.grpc_client import (
    NOT_SERVING,
    SERVING,
    check_health,
    next_health,
    trailing,
    watch_health,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SERVICE = "pawsight.v1.Pawsight"


def make_server() -> RpcServer:
    add = partial(
        add_PawsightServicer_to_server,
        PawsightServicer(),  # type: ignore[abstract]
    )
    return RpcServer({SERVICE: add}, 1 << 20)


@pytest.fixture
async def server() -> AsyncIterator[RpcServer]:
    server = make_server()
    yield server
    await server.stop(0)


@pytest.fixture
async def address(server: RpcServer) -> Address:
    return await server.start(Address("127.0.0.1", 0))


@pytest.fixture
async def channel(address: Address) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(str(address)) as channel:
        yield channel


@pytest.mark.parametrize("service", ["", SERVICE])
async def test_health_follows_readiness_by_service(
    server: RpcServer, channel: grpc.aio.Channel, service: str
) -> None:
    assert await check_health(channel, service) == NOT_SERVING
    server.set_ready(True)
    assert await check_health(channel, service) == SERVING


async def test_an_unknown_service_is_not_found(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await check_health(channel, "other")
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    assert SERVICE in (raised.value.details() or "")
    assert trailing(raised.value)["pawsight-code"] == "NOT_FOUND"
    assert len(trailing(raised.value)["x-request-id"]) == 32


async def test_watch_tells_of_each_change(server: RpcServer, channel: grpc.aio.Channel) -> None:
    watch = watch_health(channel, SERVICE)
    assert await next_health(watch) == NOT_SERVING
    server.set_ready(True)
    assert await next_health(watch) == SERVING
    server.set_ready(False)
    assert await next_health(watch) == NOT_SERVING
    watch.cancel()


async def test_a_taken_port_is_one_sentence(address: Address) -> None:
    second = make_server()
    with pytest.raises(AddressUnavailable, match=f"Cannot listen on {address}"):
        await second.start(address)
    await second.stop(0)


async def test_a_server_that_never_started_can_be_stopped() -> None:
    await asyncio.wait_for(make_server().stop(1), 5)


async def test_bounds_that_grpc_has_no_number_for_are_as_good_as_none() -> None:
    limits = CallLimits(idle_timeout_s=1e306)
    options = ServerOptions(
        call_limits=limits, max_metadata_bytes=1 << 40, handshake_timeout_s=1e306
    )
    server = RpcServer({}, 1 << 40, options)
    address = await server.start(Address("127.0.0.1", 0))
    async with grpc.aio.insecure_channel(str(address)) as channel:
        assert await check_health(channel, "") == NOT_SERVING
    await server.stop(0)
