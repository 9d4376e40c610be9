from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse

from pawsight_serving.gateway.http.connections import BEGAN
from pawsight_serving.gateway.http.request_middleware import RequestMiddleware
from pawsight_serving.observability.observation import CANCELLED, REFUSED, Observer, failed_with
from tests.serving.heard import Heard

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


async def get(app: ASGIApp, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(RequestMiddleware(app, Observer()), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        return await client.get("/", headers=headers)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(scope["state"]["request_id"])(scope, receive, send)


async def test_the_callers_id_is_kept_and_echoed() -> None:
    answer = await get(echo, **{"x-request-id": "mine"})
    assert (answer.text, answer.headers["x-request-id"]) == ("mine", "mine")


async def test_an_id_is_made_where_none_is_fit() -> None:
    for headers in ({}, {"x-request-id": "two words"}):
        answer = await get(echo, **headers)
        assert answer.headers["x-request-id"] == answer.text
        assert len(answer.text) == 32


async def test_an_unforeseen_failure_is_logged_under_the_id_and_tells_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError("a secret")

    answer = await get(broken, **{"x-request-id": "mine"})
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert "secret" not in answer.text
    assert "request mine failed" in caplog.text
    assert "a secret" in caplog.text


async def sent_by(app: ASGIApp, heard: Heard) -> list[Message]:
    """Return what is sent for a request whose body nobody reads."""

    async def unused() -> Message:
        raise AssertionError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await RequestMiddleware(app, Observer(heard))({"type": "http", "headers": []}, unused, send)
    return sent


async def test_a_caller_who_left_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    async def left(scope: Scope, receive: Receive, send: Send) -> None:
        raise ClientDisconnect

    heard = Heard()
    sent = await sent_by(left, heard)
    assert sent == []
    assert [code for _, code in heard.said()] == [CANCELLED]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_an_answer_that_has_begun_is_not_begun_again() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    heard = Heard()
    sent = await sent_by(failing, heard)
    assert [message["type"] for message in sent] == ["http.response.start"]
    assert [code for _, code in heard.said()] == ["INTERNAL"]


async def test_what_is_cancelled_behind_a_request_is_a_failure_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        never = asyncio.get_running_loop().create_future()
        never.cancel()
        await never

    answer = await get(waiting)
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert "was cancelled" in caplog.text


async def test_what_no_route_took_is_called_as_over_grpc() -> None:
    heard = Heard()

    async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
        failed_with("UNAUTHENTICATED")
        await echo(scope, receive, send)

    for app in (refusing, echo):
        transport = httpx.ASGITransport(RequestMiddleware(app, Observer(heard)))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            await client.get("/")
    assert heard.said() == [(REFUSED, "UNAUTHENTICATED"), ("none", "OK")]


async def test_a_request_lasts_from_when_its_headers_had_come() -> None:
    heard = Heard()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        pass

    async def unused(*_: object) -> Message:
        raise AssertionError

    scope = {"type": "http", "headers": [], "state": {BEGAN: time.perf_counter() - 60}}
    await RequestMiddleware(answer, Observer(heard))(scope, unused, unused)  # type: ignore[arg-type]
    assert heard.requests[0].total_s >= 60


@pytest.mark.parametrize(
    ("url", "tells"),
    [
        ("https://pawsight.example", True),
        ("https://pawsight.example:8443", True),
        ("https://192.0.2.7", True),
        ("https://localhost.example", True),
        ("https://localhost", False),
        ("https://LOCALHOST:8080", False),
        ("https://pawsight.localhost:8080", False),
        ("https://127.0.0.1:8080", False),
        ("https://[::1]:8080", False),
        ("http://pawsight.example", False),
    ],
)
async def test_browsers_are_told_to_keep_to_https_where_no_other_server_is_hit(
    url: str, tells: bool
) -> None:
    transport = httpx.ASGITransport(RequestMiddleware(echo, Observer()))
    async with httpx.AsyncClient(transport=transport, base_url=url) as client:
        answer = await client.get("/")
    assert ("strict-transport-security" in answer.headers) is tells


@pytest.mark.parametrize("host", ["", "[", "no host"])
async def test_a_host_that_is_none_is_not_taken_for_this_machine(host: str) -> None:
    transport = httpx.ASGITransport(RequestMiddleware(echo, Observer()))
    async with httpx.AsyncClient(transport=transport, base_url="https://here") as client:
        answer = await client.get("/", headers={"host": host})
    assert "strict-transport-security" in answer.headers
