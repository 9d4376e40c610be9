"""Which transport a URL means."""

from __future__ import annotations

from typing import Any

import pytest

from pawsight_client import OptionInvalid
from pawsight_client._transports.address import open_async_transport, open_transport
from pawsight_client._transports.grpc import GrpcTransport
from pawsight_client._transports.http import HttpTransport


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("grpc://localhost:50051", GrpcTransport),
        ("grpc://localhost", GrpcTransport),
        ("grpc://[::1]:50051", GrpcTransport),
        ("grpc://localhost/", GrpcTransport),
        ("grpcs://localhost", GrpcTransport),
        ("http://localhost:8080", HttpTransport),
        ("https://example.org/pawsight/", HttpTransport),
    ],
)
def test_schemes(url: str, kind: type) -> None:
    transport = open_transport(url, None)
    transport.close()
    assert type(transport) is kind


def test_a_port_is_never_another_one_than_was_written() -> None:
    for url in ("grpc://localhost:0", "http://localhost:0"):
        transport = open_transport(url, None)
        transport.close()
        assert transport.url == url


@pytest.mark.parametrize("key", ["line\nbreak", "ключ", "tab\t"])
@pytest.mark.parametrize("open_one", [open_transport, open_async_transport])
def test_a_key_that_no_header_can_hold_is_refused(key: str, open_one: Any) -> None:
    for url in ("http://localhost", "grpc://localhost"):
        with pytest.raises(OptionInvalid, match="API key"):
            open_one(url, key)


@pytest.mark.parametrize("open_one", [open_transport, open_async_transport])
def test_neither_is_one_that_is_no_text(open_one: Any) -> None:
    for url in ("http://localhost", "grpc://localhost"):
        with pytest.raises(OptionInvalid, match="api_key must be text, not bytes"):
            open_one(url, b"key")


@pytest.mark.parametrize(
    "url",
    ["localhost:8080", "", "ftp://localhost", "grpc://", "http://", "http://host:port",
     "grpc://host:99999", "http://[::1", "grpc://localhost/path", "grpc://localhost?a=b",
     "http://localhost?a=b", "http://localhost/#part"],
)  # fmt: skip
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(OptionInvalid, match="is not the URL of a server"):
        open_transport(url, None)


@pytest.mark.parametrize("url", ["htp://me:secret@host", "http://me:secret@host:99999"])
def test_a_url_that_is_refused_is_told_without_its_password(url: str) -> None:
    with pytest.raises(OptionInvalid, match="is not the URL of a server") as raised:
        open_transport(url, None)
    assert "secret" not in str(raised.value)


def test_neither_is_what_is_no_text() -> None:
    with pytest.raises(OptionInvalid, match="3 is not the URL of a server"):
        open_transport(3, None)  # type: ignore[arg-type]
