from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.datastructures import Headers
from starlette.responses import Response

from pawsight_serving.gateway.http.caching import unless_it_is_kept

if TYPE_CHECKING:
    import httpx

NAMED = '"sha256:12"'


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/v1/models", "/v2", "/no"])
async def test_what_is_true_of_a_moment_is_kept_by_nobody(
    http: httpx.AsyncClient, path: str
) -> None:
    assert (await http.get(path)).headers.get_list("cache-control") == ["no-store"]


@pytest.mark.parametrize("path", ["/", "/docs", "/docs/assets/swagger-ui.css"])
async def test_pages_are_asked_for_again(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).headers.get_list("cache-control") == ["no-cache"]


async def test_an_asset_that_is_kept_is_not_sent_again(http: httpx.AsyncClient) -> None:
    asset = "/docs/assets/swagger-ui.css"
    tag = (await http.get(asset)).headers["etag"]
    again = await http.get(asset, headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("said", [{}, {"if-none-match": '"sha256:1"'}, {"if-none-match": ""}])
def test_what_is_not_kept_is_answered_and_named(said: dict[str, str]) -> None:
    answer = unless_it_is_kept(Response(b"body", headers={"a": "b"}), "sha256:12", Headers(said))
    assert (answer.status_code, answer.body) == (200, b"body")
    assert dict(answer.headers) == {
        "a": "b",
        "content-length": "4",
        "cache-control": "no-cache",
        "etag": NAMED,
    }


@pytest.mark.parametrize(
    "lines", [[NAMED], [f"W/{NAMED}"], ["*"], [f'"sha256:1" , {NAMED}'], ['"sha256:1"', NAMED]]
)
def test_what_is_kept_is_not_sent_again(lines: list[str]) -> None:
    said = Headers(raw=[(b"if-none-match", line.encode()) for line in lines])
    answer = unless_it_is_kept(Response(b"body"), "sha256:12", said)
    assert (answer.status_code, answer.body) == (304, b"")
    assert dict(answer.headers) == {"cache-control": "no-cache", "etag": NAMED}
