from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pawsight_serving.explanations.methods.registry import METHODS
from tests.serving.fakes import LAYERS, FakeEngine, manifest

if TYPE_CHECKING:
    import httpx


async def test_a_model_is_described_with_its_manifest(http: httpx.AsyncClient) -> None:
    body = (await http.get("/v1/models/tiny")).json()
    assert body == {
        "name": "tiny",
        "ready": True,
        "version": "1",
        "state": "READY",
        "default": True,
        "classes": ["cat", "dog"],
        "layers": [layer.model_dump() for layer in LAYERS],
        "methods": list(METHODS),
        "manifest": manifest().model_dump(mode="json"),
    }


async def test_every_version_is_listed_and_found(
    http: httpx.AsyncClient, engine: FakeEngine
) -> None:
    engine.served = [manifest(version="1"), manifest(version="2")]
    listed = (await http.get("/v1/models")).json()["models"]
    assert [each["version"] for each in listed] == ["1", "2"]
    assert (await http.get("/v1/models/tiny")).json()["version"] == "2"
    assert (await http.get("/v1/models/tiny/versions/1")).json()["version"] == "1"


async def test_a_model_says_whether_it_is_meant_where_none_is_named(
    http: httpx.AsyncClient, engine: FakeEngine
) -> None:
    engine.served = [manifest(name="other"), manifest(name="cats_dogs_vgg16")]
    listed = (await http.get("/v1/models")).json()["models"]
    assert {each["name"]: each["default"] for each in listed} == {
        "other": False,
        "cats_dogs_vgg16": True,
    }
    engine.served = [manifest(name="other"), manifest(name="another")]
    listed = (await http.get("/v1/models")).json()["models"]
    assert [each["default"] for each in listed] == [False, False]


async def test_what_is_not_served_is_not_found(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/models/other")
    assert (answer.status_code, answer.json()["code"]) == (404, "MODEL_NOT_FOUND")
    answer = await http.get("/v1/models/tiny/versions/9")
    assert (answer.status_code, answer.json()["code"]) == (404, "VERSION_NOT_FOUND")


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/tiny", "/v1/models/tiny/versions/1"])
async def test_descriptions_have_no_options(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(f"{path}?version=2")
    assert (answer.status_code, answer.json()["code"]) == (400, "OPTION_INVALID")
