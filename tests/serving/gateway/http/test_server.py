from __future__ import annotations

import asyncio
import json
import socket
import ssl
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pawsight_serving.addresses import Address, bind
from pawsight_serving.errors import AddressUnavailable
from pawsight_serving.gateway.http import server as server_module
from pawsight_serving.gateway.http.request_middleware import RequestMiddleware
from pawsight_serving.gateway.http.server import HttpServer
from pawsight_serving.observability.observation import Observer
from pawsight_serving.security.tls import Tls
from tests.serving.certificates import Authority
from tests.serving.heard import Heard

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

HERE = Address("127.0.0.1", 0)


class Slow:
    """An application that answers when it may."""

    def __init__(self) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.app = Starlette(routes=[Route("/", self._answer, methods=["GET", "POST"])])

    async def _answer(self, request: Request) -> PlainTextResponse:
        self.asked.set()
        await request.body()
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


async def test_a_caller_that_does_not_say_goodbye_holds_up_no_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slow, authority = Slow(), Authority(tmp_path)
    slow.may_answer.set()
    server = HttpServer(slow.app, grace_s=9, tls=Tls(*authority.issue("localhost")))
    address = await server.start(HERE)

    def ask() -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=authority.file)
        caller = socket.create_connection((address.host, address.port), timeout=5)
        encrypted = context.wrap_socket(caller, server_hostname="localhost")
        encrypted.sendall(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        assert encrypted.recv(4096).startswith(b"HTTP/1.1 200")
        return encrypted

    with await asyncio.to_thread(ask):  # it reads no more, and so does not hear of the end
        await asyncio.wait_for(server.stop(), 5)
    assert not [each for each in caplog.records if each.levelname == "ERROR"]


@pytest.mark.parametrize("stalls", ["the answer", "the body"])
async def test_the_grace_is_bounded_and_who_is_cut_off_is_told(
    stalls: str, caplog: pytest.LogCaptureFixture
) -> None:
    slow, heard = Slow(), Heard()
    server = HttpServer(RequestMiddleware(slow.app, Observer(heard)), grace_s=1)
    reader, writer = await asyncio.open_connection(*await server.start(HERE))
    announced = 0 if stalls == "the answer" else 9
    writer.write(
        b"POST / HTTP/1.1\r\nhost: here\r\nx-request-id: mine\r\n"
        b"content-length: %d\r\n\r\n" % announced
    )
    await asyncio.wait_for(slow.asked.wait(), 5)
    await asyncio.wait_for(server.stop(), 10)
    head, _, body = (await asyncio.wait_for(reader.read(), 5)).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 503 ")
    assert {b"retry-after: 1", b"x-request-id: mine", b"connection: close"} <= {*head.splitlines()}
    answer = json.loads(body)
    assert answer.pop("error").startswith("The server is stopping")
    assert answer == {"code": "UNAVAILABLE", "request_id": "mine"}
    assert heard.said() == [("_answer", "UNAVAILABLE")]
    assert not [record for record in caplog.records if record.exc_info]


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
