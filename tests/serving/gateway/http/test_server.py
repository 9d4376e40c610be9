from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pawsight_serving.addresses import Address, bind
from pawsight_serving.errors import AddressUnavailable
from pawsight_serving.gateway.http import server as server_module
from pawsight_serving.gateway.http.server import HttpServer

if TYPE_CHECKING:
    from starlette.requests import Request

HERE = Address("127.0.0.1", 0)


class Slow:
    """An application that answers when it may."""

    def __init__(self) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.app = Starlette(routes=[Route("/", self._answer)])

    async def _answer(self, request: Request) -> PlainTextResponse:
        self.asked.set()
        await self.may_answer.wait()
        return PlainTextResponse("done")


async def test_it_serves_on_a_free_port_and_ends() -> None:
    slow = Slow()
    slow.may_answer.set()
    server = HttpServer(slow.app, grace_s=5)
    address = await server.start(HERE)
    async with httpx.AsyncClient(base_url=f"http://{address}") as client:
        assert (await client.get("/")).text == "done"
        await asyncio.wait_for(server.stop(), 5)
    async with httpx.AsyncClient(base_url=f"http://{address}") as another:
        with pytest.raises(httpx.ConnectError):
            await another.get("/")


async def test_a_request_under_way_is_finished() -> None:
    slow = Slow()
    server = HttpServer(slow.app, grace_s=5)
    address = await server.start(HERE)
    async with httpx.AsyncClient(base_url=f"http://{address}") as client:
        under_way = asyncio.create_task(client.get("/"))
        await asyncio.wait_for(slow.asked.wait(), 5)
        stopping = asyncio.create_task(server.stop())
        slow.may_answer.set()
        assert (await under_way).text == "done"
        await asyncio.wait_for(stopping, 5)


async def test_the_grace_is_bounded() -> None:
    slow = Slow()
    server = HttpServer(slow.app, grace_s=1)
    address = await server.start(HERE)
    async with httpx.AsyncClient(base_url=f"http://{address}") as client:
        under_way = asyncio.create_task(client.get("/"))
        await asyncio.wait_for(slow.asked.wait(), 5)
        await asyncio.wait_for(server.stop(), 5)
        with pytest.raises(httpx.HTTPError):
            (await under_way).raise_for_status()


async def test_a_taken_port_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(HERE)
        taken.listen()
        address = Address("127.0.0.1", taken.getsockname()[1])
        server = HttpServer(Starlette(), grace_s=1)
        with pytest.raises(AddressUnavailable, match=f"Cannot listen on {address}"):
            await server.start(address)
        await server.stop()


async def test_a_port_that_another_takes_while_this_one_starts_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with bind(HERE) as other:
        taken = Address("127.0.0.1", other.getsockname()[1])

        def bind_before_the_other_listens(address: Address, *, shared: bool) -> socket.socket:
            bound = bind(address, shared=shared)
            other.listen()
            return bound

        monkeypatch.setattr(server_module, "bind", bind_before_the_other_listens)
        server = HttpServer(Slow().app, grace_s=5)
        with pytest.raises(AddressUnavailable):
            await asyncio.wait_for(server.start(taken), 10)
        await server.stop()
