"""Which transport a URL means; only that one is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pawsight_client._errors import OptionInvalid
from pawsight_client._tls import Tls
from pawsight_client._transports.shown_url import without_password

if TYPE_CHECKING:
    from pawsight_client._transports.protocol import AsyncTransport, Transport

GRPC_PORT: Final = 50051


def open_transport(url: str, api_key: str | None, tls: Tls | None = None) -> Transport:
    """Return the transport that the URL's scheme names; nothing is connected yet.

    Raises:
        OptionInvalid: the URL is none of `grpc(s)://HOST[:PORT]`, `http(s)://HOST[:PORT][/PATH]`,
            the key cannot stand in a header, or a file of `tls` cannot be used.
    """
    _check_key(api_key)
    if (target := _grpc_target(url)) is not None:
        from pawsight_client._transports.grpc import GrpcTransport

        return GrpcTransport(target, api_key, _tls(url, tls))
    from pawsight_client._transports.http import HttpTransport

    return HttpTransport(url, api_key, _tls(url, tls))


def open_async_transport(url: str, api_key: str | None, tls: Tls | None = None) -> AsyncTransport:
    """As `open_transport`."""
    _check_key(api_key)
    if (target := _grpc_target(url)) is not None:
        from pawsight_client._transports.grpc import AsyncGrpcTransport

        return AsyncGrpcTransport(target, api_key, _tls(url, tls))
    from pawsight_client._transports.http import AsyncHttpTransport

    return AsyncHttpTransport(url, api_key, _tls(url, tls))


def _grpc_target(url: str) -> str | None:
    """Return HOST:PORT of a gRPC URL; None of an HTTP one.

    Raises:
        OptionInvalid: it is neither.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except (AttributeError, ValueError):
        host = None
    if (
        not host
        or parts.scheme not in ("grpc", "grpcs", "http", "https")
        or parts.query
        or parts.fragment
        or (parts.scheme.startswith("grpc") and parts.path not in ("", "/"))
    ):
        shown = without_password(url) if isinstance(url, str) else url
        raise OptionInvalid(
            f"{shown!r} is not the URL of a server; "
            "write grpc://localhost:50051 or http://localhost:8080."
        )
    if parts.scheme not in ("grpc", "grpcs"):
        return None
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{GRPC_PORT if port is None else port}"


def _tls(url: str, tls: Tls | None) -> Tls | None:
    """Return what a URL's connections are made with; None where they are not encrypted."""
    return tls or Tls() if urlsplit(url).scheme in ("grpcs", "https") else None


def _check_key(api_key: object) -> None:
    if api_key is not None and not isinstance(api_key, str):
        raise OptionInvalid(f"api_key must be text, not {type(api_key).__name__}.")
    if api_key and not (api_key.isascii() and api_key.isprintable()):
        raise OptionInvalid("The API key contains characters that are not allowed; copy it again.")
