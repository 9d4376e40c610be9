"""The twin, and every way to ask it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from pawsight_client import Client
from tests.client.blocking import BlockingAsyncClient
from tests.client.twin import Stand, Twin
from tests.client.twin_grpc import serve_grpc
from tests.client.twin_http import serve_http

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine's proxy must not come between a test and its loopback."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor must its settings."""
    for name in [each for each in os.environ if each.startswith("PAWSIGHT_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def stand() -> Iterator[Stand]:
    stand = Stand()
    with serve_grpc(stand) as grpc_port, serve_http(stand) as http_port:
        stand.urls["grpc"] = f"grpc://127.0.0.1:{grpc_port}"
        stand.urls["http"] = f"http://127.0.0.1:{http_port}"
        yield stand


@pytest.fixture
def twin(stand: Stand) -> Iterator[Twin]:
    stand.twin = Twin()
    stand.twin.held.set()
    yield stand.twin
    stand.twin.held.set()


@pytest.fixture(params=["grpc", "http"])
def url(request: pytest.FixtureRequest, twin: Twin, stand: Stand) -> str:
    return stand.urls[request.param]


@pytest.fixture(params=[Client, BlockingAsyncClient], ids=["sync", "async"])
def flavour(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def client(flavour: Any, url: str) -> Iterator[Any]:
    with flavour(url) as opened:
        yield opened
