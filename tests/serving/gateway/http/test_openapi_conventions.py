from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from pawsight_serving.gateway.http.authentication import ApiKeyMiddleware
from pawsight_serving.gateway.http.openapi import openapi_document
from pawsight_serving.gateway.http.request_middleware import RequestMiddleware
from pawsight_serving.observability.observation import Observer
from pawsight_serving.repository.directory import read_manifest
from pawsight_serving.security.api_keys import ApiKeys, make_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in openapi_document()["paths"].items():
        for verb, operation in item.items():
            yield path, verb, operation


async def test_every_operation_takes_and_answers_an_id(http: httpx.AsyncClient) -> None:
    for path, verb, operation in operations():
        parameters = [parameter["name"] for parameter in operation["parameters"]]
        assert parameters.count("X-Request-Id") == 1
        answered = await http.request(verb, path, headers={"X-Request-Id": "mine"})
        described = operation["responses"][str(answered.status_code)]["headers"]
        assert "X-Request-Id" in described
        assert answered.headers["x-request-id"] == "mine"
        assert ("Retry-After" in described) == ("retry-after" in answered.headers)


def test_what_is_filled_in_for_who_tries_it_out_is_shipped() -> None:
    shipped = Path(__file__).parents[4] / "model_repository"
    for _, _, operation in operations():
        told = {p["name"]: p["example"] for p in operation["parameters"] if p["in"] == "path"}
        if told:
            manifest = read_manifest(shipped, told["name"], told.get("version", "1"))
            layers = [layer.name for layer in manifest.layers]
            assert told.get("layer", layers[0]) in layers


def test_who_is_to_return_is_told_when() -> None:
    for _, _, operation in operations():
        for status, answer in operation["responses"].items():
            assert ("Retry-After" in answer["headers"]) == (status in {"429", "503"})


async def test_who_has_no_key_is_answered_as_it_is_described(
    app: Starlette, tmp_path: Path
) -> None:
    file = tmp_path / "keys"
    file.write_text(make_key("alice")[1])
    locked = RequestMiddleware(ApiKeyMiddleware(app, ApiKeys.read(file)), Observer())
    transport = httpx.ASGITransport(locked)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
        for path, verb, operation in operations():
            refused = (await http.request(verb, path)).status_code == 401
            assert ("401" in operation["responses"]) == refused, path
            assert (operation.get("security") != []) == refused, path


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_another_method_is_answered_as_it_is_described(
    http: httpx.AsyncClient, method: str
) -> None:
    for path, _, operation in operations():
        answered = await http.request(method, path)
        assert answered.status_code == 405, path
        assert answered.headers["allow"]
        assert "Allow" in operation["responses"]["405"]["headers"]
