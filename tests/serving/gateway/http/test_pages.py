from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx


async def test_the_page_needs_nothing_from_elsewhere(http: httpx.AsyncClient) -> None:
    answer = await http.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", answer.text)


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_a_proxy_may_serve_a_page_below_a_path_of_its_own(
    http: httpx.AsyncClient, path: str
) -> None:
    page = (await http.get(path)).text
    assert re.findall(r"""["'`](?:v1/|docs|openapi)""", page)
    assert not re.findall(r"""["'`]/[a-z]""", page)


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_no_script_but_the_pages_own_may_run(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    policy = answer.headers["content-security-policy"]
    (scripts,) = re.findall(r"script-src ([^;]+);", policy)
    (own,) = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
    assert scripts == f"'self' 'sha256-{digest}'"
    assert not re.findall(r"\son\w+=", answer.text)
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_documentation_has_its_assets_here(http: httpx.AsyncClient) -> None:
    page = (await http.get("/docs")).text
    assert "openapi.json" in page
    assets = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(assets) == 3
    for asset in assets:
        assert asset.startswith("docs/assets/")
        assert (await http.get(f"/{asset}")).status_code == 200


@pytest.mark.parametrize("part", ["bytes=0-9", "bytes=5-1", "bytes=99999999-", "items=0-5"])
async def test_an_asset_is_sent_whole(http: httpx.AsyncClient, part: str) -> None:
    asset = "/docs/assets/swagger-ui.css"
    whole, asked = await http.get(asset), await http.get(asset, headers={"range": part})
    assert (asked.status_code, asked.headers["accept-ranges"]) == (200, "none")
    assert asked.content == whole.content


@pytest.mark.parametrize("path", ["/docs/assets/nope.js", "/docs/assets/../../setup.py"])
async def test_a_missing_asset_is_an_error_like_any_other(
    http: httpx.AsyncClient, path: str
) -> None:
    answer = await http.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "ROUTE_NOT_FOUND")
