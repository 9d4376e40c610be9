"""Servers whose certificates the client does not trust."""

from __future__ import annotations

import ssl
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from pawsight_client import CertificateUntrusted, OptionInvalid, RouteNotFound, Tls
from tests.serving.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def grpcs(authority: Authority) -> Iterator[int]:
    pair = authority.issue("localhost")
    credentials = [(pair.key.read_bytes(), pair.certificate.read_bytes())]
    server = grpc.server(ThreadPoolExecutor(2))
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(credentials))
    server.start()
    yield port
    server.stop(grace=0).wait(timeout=10)


class NoRoute(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(405)

    def log_message(self, *arguments: Any) -> None:
        pass


class TlsServer(ThreadingHTTPServer):
    def finish_request(self, request: Any, client_address: Any) -> None:
        try:
            with self.context.wrap_socket(request, server_side=True) as encrypted:
                super().finish_request(encrypted, client_address)
        except OSError:
            pass  # the client has turned away

    context: ssl.SSLContext


@pytest.fixture(scope="module")
def https(authority: Authority) -> Iterator[int]:
    with TlsServer(("127.0.0.1", 0), NoRoute) as server:
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(*authority.issue("localhost"))
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture(params=["grpcs", "https"])
def secure(request: pytest.FixtureRequest, grpcs: int, https: int) -> str:
    """The URL of a server that knows no route."""
    port = grpcs if request.param == "grpcs" else https
    return f"{request.param}://localhost:{port}"


def test_an_unknown_authority(flavour: Any, secure: str, tmp_path: Path) -> None:
    other = Tls(Authority(tmp_path / "other").file)
    with flavour(secure, tls=other) as client, pytest.raises(CertificateUntrusted) as raised:
        client.models()
    assert str(raised.value).startswith(f"The certificate of {secure} is not trusted")
    assert "--ca" in str(raised.value)


def test_another_hosts_certificate(flavour: Any, secure: str, authority: Authority) -> None:
    url = secure.replace("localhost", "127.0.0.1")
    with flavour(url, tls=Tls(authority.file)) as client, pytest.raises(CertificateUntrusted):
        client.models()


def test_the_authority_can_be_named(flavour: Any, secure: str, authority: Authority) -> None:
    with flavour(secure, tls=Tls(authority.file)) as client, pytest.raises(RouteNotFound):
        client.models()


def test_without_one_it_is_whom_the_machine_trusts(
    secure: str, authority: Authority, monkeypatch: pytest.MonkeyPatch, flavour: Any
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with flavour(secure) as client, pytest.raises(RouteNotFound):
        client.models()


def test_a_certificate_and_its_key_come_together(authority: Authority) -> None:
    pair = authority.issue("client")
    Tls(certificate=pair.certificate, key=pair.key).context()
    for alone in (Tls(certificate=pair.certificate), Tls(key=pair.key)):
        with pytest.raises(OptionInvalid, match="together"):
            alone.context()
