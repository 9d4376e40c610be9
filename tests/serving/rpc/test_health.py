from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn, cast

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from pawsight_serving.addresses import Address
from pawsight_serving.requests.calls import STOPPING
from pawsight_serving.rpc.health import Health
from pawsight_serving.rpc.server import RpcServer
from tests.serving.grpc_client import (
    NOT_SERVING,
    SERVING,
    check_health,
    next_health,
    trailing,
    watch_health,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.serving.grpc_client import Watch


async def health_at_the_end(server: RpcServer, watch: Watch) -> int:
    # Whoever reads only after the end finds how the call ended, and no message before it.
    last = asyncio.create_task(next_health(watch))
    await asyncio.wait_for(server.stop(60), 10)
    return await last


async def test_who_watches_goes_on_hearing_when_another_leaves() -> None:
    server = RpcServer({}, 1 << 20)
    address = await server.start(Address("127.0.0.1", 0))
    async with grpc.aio.insecure_channel(str(address)) as channel:
        leaving, staying = watch_health(channel, ""), watch_health(channel, "")
        assert await next_health(leaving) == await next_health(staying) == NOT_SERVING
        leaving.cancel()
        # Once another call is answered, the server knows of the one that left before it.
        assert await next_health(watch_health(channel, "")) == NOT_SERVING
        server.set_ready(True)
        assert await asyncio.wait_for(next_health(staying), 5) == SERVING
        staying.cancel()
    await server.stop(0)


async def test_who_watches_hears_of_the_end_and_holds_it_up_for_nobody() -> None:
    server = RpcServer({}, 1 << 20)
    address = await server.start(Address("127.0.0.1", 0))
    server.set_ready(True)
    async with grpc.aio.insecure_channel(str(address)) as channel:
        watch = watch_health(channel, "")
        assert await next_health(watch) == SERVING
        assert await health_at_the_end(server, watch) == NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await watch.read()
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert raised.value.details() == STOPPING
    assert trailing(raised.value)["pawsight-code"] == "UNAVAILABLE"


class Watcher:
    """The call of somebody who watches; `then` is done after each answer."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.said: list[int] = []
        self._then = then

    def invocation_metadata(self) -> tuple[()]:
        return ()

    async def write(self, answer: HealthCheckResponse) -> None:
        self.said.append(answer.status)
        self._then()

    async def abort(self, *_: object) -> NoReturn:
        raise grpc.aio.AbortError


async def test_who_is_told_of_health_when_the_end_begins_hears_of_the_end_too() -> None:
    health = Health(())
    health.set_ready(True)
    watcher = Watcher(then=health.stop)
    with pytest.raises(grpc.aio.AbortError):
        await health.Watch(HealthCheckRequest(), cast("Any", watcher))
    assert watcher.said == [SERVING, NOT_SERVING]


async def test_who_watches_hears_nothing_of_others_changes() -> None:
    health, watcher = Health(()), Watcher()
    watching = asyncio.create_task(health.Watch(HealthCheckRequest(), cast("Any", watcher)))
    changes: tuple[Callable[[], None], ...] = (
        lambda: health.set_models_ready({"tiny": True}),
        lambda: health.set_ready(True),
        lambda: health.set_ready(True),
        lambda: health.set_models_ready({"tiny": False}),
        health.stop,
    )
    for change in changes:
        # The watcher goes as far as it can.
        await asyncio.sleep(0)
        change()
    with pytest.raises(grpc.aio.AbortError):
        await watching
    assert watcher.said == [NOT_SERVING, SERVING, NOT_SERVING]


async def test_models_have_a_health_of_their_own() -> None:
    server = RpcServer({}, 1 << 20)
    address = await server.start(Address("127.0.0.1", 0))
    server.set_ready(True)
    async with grpc.aio.insecure_channel(str(address)) as channel:
        watch = watch_health(channel, "broken")
        assert await next_health(watch) == HealthCheckResponse.SERVICE_UNKNOWN
        server.set_models_ready({"whole": True, "broken": False})
        assert await next_health(watch) == NOT_SERVING
        assert await check_health(channel, "whole") == SERVING
        assert await check_health(channel, "") == SERVING
        server.set_models_ready({"whole": True, "broken": True})
        assert await next_health(watch) == SERVING
        assert await health_at_the_end(server, watch) == NOT_SERVING


async def test_a_service_that_is_none_is_unknown_to_who_watches_it() -> None:
    server = RpcServer({}, 1 << 20)
    address = await server.start(Address("127.0.0.1", 0))
    async with grpc.aio.insecure_channel(str(address)) as channel:
        watch = watch_health(channel, "other")
        assert await next_health(watch) == HealthCheckResponse.SERVICE_UNKNOWN
    await server.stop(0)
