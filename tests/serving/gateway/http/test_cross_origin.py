from __future__ import annotations

import httpx
import pytest
from starlette.responses import PlainTextResponse

from pawsight_serving.gateway.http.cross_origin import CrossOrigin
from pawsight_serving.gateway.http.request_middleware import RequestMiddleware
from pawsight_serving.observability.observation import Observer
from tests.serving.heard import Heard


async def test_a_page_may_read_the_headers_that_say_what_an_answer_is_of() -> None:
    app = CrossOrigin(PlainTextResponse("answer"), ["https://page.example"])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway"
    ) as http:
        answer = await http.get("/", headers={"origin": "https://page.example"})
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    for name in ("digest", "layer", "target", "channels"):
        assert f"x-pawsight-{name}" in exposed
    assert {"x-request-id", "retry-after"} <= set(exposed)


@pytest.mark.parametrize(
    ("asks", "allowed"),
    [
        ({}, True),
        ({"access-control-request-method": "DELETE"}, False),
        ({"access-control-request-headers": "authorization, content-type"}, True),
        ({"access-control-request-headers": "x-request-id, x-request-timeout, x-api-key"}, True),
        ({"access-control-request-headers": "x-other"}, False),
        ({"origin": "https://else.example"}, False),
    ],
)
async def test_a_page_that_may_call_says_what_with(asks: dict[str, str], allowed: bool) -> None:
    app = CrossOrigin(PlainTextResponse("answer"), ["https://page.example"])
    page = {"origin": "https://page.example", "access-control-request-method": "POST"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway"
    ) as http:
        answer = await http.options("/", headers=page | asks)
    assert (answer.status_code == 200) is allowed
    if allowed:
        assert answer.headers["access-control-allow-origin"] == "https://page.example"


async def test_a_page_that_may_not_call_is_told_so_like_anybody() -> None:
    heard = Heard()
    app = RequestMiddleware(
        CrossOrigin(PlainTextResponse("answer"), ["https://page.example"]), Observer(heard)
    )
    asks = {"origin": "https://else.example", "access-control-request-method": "POST"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway"
    ) as http:
        answer = await http.options("/", headers={**asks, "x-request-id": "mine"})
    assert answer.status_code == 400
    error = answer.json()
    assert (error["code"], error["request_id"]) == ("OPTION_INVALID", "mine")
    assert "cors-origins" in error["error"]
    assert "origin" in answer.headers["vary"].lower()
    assert "access-control-allow-origin" not in answer.headers
    assert [code for _, code in heard.said()] == ["OPTION_INVALID"]
