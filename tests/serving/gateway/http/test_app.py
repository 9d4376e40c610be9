from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx


@pytest.mark.parametrize(
    "path", ["/nope", "/v1", "/v1/models/tiny:train", "/v1/models/tiny/versions", "/v3"]
)
async def test_an_unknown_route_is_an_error_like_any_other(
    http: httpx.AsyncClient, path: str
) -> None:
    answer = await http.get(path)
    assert answer.status_code == 404
    body = answer.json()
    assert set(body) == {"error", "code", "request_id"}
    assert body["code"] in {"ROUTE_NOT_FOUND", "MODEL_NOT_FOUND"}
    assert body["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/readyz"), ("PUT", "/v1/models/tiny:predict"), ("DELETE", "/v1/models/tiny")],
)
async def test_a_wrong_method_is_told_the_right_one(
    http: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await http.request(method, path)
    assert answer.status_code == 405
    assert answer.json()["code"] == "ROUTE_NOT_FOUND"
    assert answer.headers["allow"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
@pytest.mark.parametrize("model", ["tiny", "other", "tiny/versions/1"])
@pytest.mark.parametrize("action", ["predict", "explain"])
async def test_what_is_posted_is_no_part_of_a_models_name(
    http: httpx.AsyncClient, method: str, model: str, action: str
) -> None:
    answer = await http.request(method, f"/v1/models/{model}:{action}")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/v1/models/tiny:train", "/v1/models/tiny/versions/1:predict"])
async def test_what_is_no_action_is_counted_by_that_name(
    http: httpx.AsyncClient, path: str
) -> None:
    await http.get(path)
    counts = (await http.get("/metrics")).text
    assert 'code="ROUTE_NOT_FOUND",method="no_action",protocol="http"} 1.0' in counts


@pytest.mark.parametrize("path", ["/v1/models/", "/v2/", "/healthz/", "/docs/", "/v1/models/tiny/"])
async def test_a_slash_at_the_end_is_another_route(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path, headers={"host": "evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (404, "ROUTE_NOT_FOUND")
    assert "location" not in answer.headers


@pytest.mark.parametrize("path", ["/healthz", "/", "/v1/models", "/v2", "/openapi.json"])
async def test_a_line_feed_at_the_end_is_another_route(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(f"{path}%0A")
    assert (answer.status_code, answer.json()["code"]) == (404, "ROUTE_NOT_FOUND")
