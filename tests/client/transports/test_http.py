"""No error of httpx leaves the client, and no answer takes longer than it may."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socketserver
import subprocess
import sys
import threading
import time
import warnings
import zlib
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from pawsight_client import (
    AnswerInvalid,
    AsyncClient,
    Client,
    DeadlineExceeded,
    ImageInvalid,
    OptionInvalid,
    ServerUnreachable,
)
from pawsight_client._transports import http
from pawsight_client._transports.http import ERRORS
from tests.client.twin import NOT_A_PICTURE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pawsight_client import PawsightError
    from tests.client.twin import Stand, Twin

FOREIGN = sorted(
    (
        kind
        for kind in vars(httpx).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ),
    key=lambda kind: kind.__name__,
)


def named(kind: type[Exception]) -> type[PawsightError] | None:
    return next((ERRORS[base] for base in kind.__mro__ if base in ERRORS), None)


def test_there_are_errors_to_name() -> None:
    assert len(FOREIGN) > 20


def test_a_name_that_no_host_can_have_is_told(flavour: Any) -> None:
    with flavour("http://xn--a") as client, pytest.raises(OptionInvalid, match="is not the URL"):
        client.models()


def test_no_error_says_the_password_in_a_url() -> None:
    url = "http://name:secret@127.0.0.1:1"
    with Client(url, retries=0) as client, pytest.raises(ServerUnreachable) as raised:
        client.models()
    assert str(raised.value).startswith("No server answers at http://127.0.0.1:1;")
    assert "its port for HTTP" in str(raised.value)


@pytest.mark.parametrize("kind", FOREIGN)
def test_every_error_of_httpx_is_named(kind: type[Exception]) -> None:
    assert named(kind) is not None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (httpx.ConnectError, ServerUnreachable),
        (httpx.ConnectTimeout, ServerUnreachable),
        (httpx.RemoteProtocolError, ServerUnreachable),
        (httpx.ReadTimeout, DeadlineExceeded),
        (httpx.PoolTimeout, DeadlineExceeded),
    ],
)
def test_the_name_fits(kind: type[Exception], expected: type[PawsightError]) -> None:
    assert named(kind) is expected


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 313\r\nX-Filler: " + b"x" * 300 + b"\r\n\r\n"
ANSWER = HEAD + b'{"models": []}'.ljust(313)


class Trickle(socketserver.StreamRequestHandler):
    """Answers byte after byte from `begins` on: in all far longer than a test's timeout."""

    begins = 0

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # the client has given up
            self.request.recv(65536)
            self.request.sendall(ANSWER[: self.begins])
            for byte in ANSWER[self.begins :]:
                self.request.sendall(bytes([byte]))
                time.sleep(0.02)


@pytest.fixture(params=[0, len(HEAD)], ids=["headers", "body"])
def trickling(request: pytest.FixtureRequest) -> Iterator[str]:
    handler = type("Handler", (Trickle,), {"begins": request.param})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_timeout_is_of_the_whole_call(flavour: Any, trickling: str) -> None:
    with flavour(trickling, timeout_s=0.3) as client, pytest.raises(DeadlineExceeded):
        client.models()


@pytest.fixture
def http_url(stand: Stand, twin: Twin) -> str:
    return stand.urls["http"]


def test_a_forked_process_has_connections_of_its_own(http_url: str) -> None:
    code = f"""
import os, warnings
from pawsight_client import Client
warnings.simplefilter("ignore", DeprecationWarning)  # forking beside a thread is what is tested
with Client({http_url!r}) as client:
    client.predict(b"cat")
    if os.fork() == 0:
        os._exit(0 if client.predict(b"dog").label == "dog" else 1)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
    print(client.predict(b"cat").label)
"""
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout == "cat\n"


def test_which_model_is_the_default_is_asked_again_after_a_while(
    flavour: Any, http_url: str, twin: Twin, monkeypatch: pytest.MonkeyPatch
) -> None:
    with flavour(http_url) as client:
        assert client.predict(b"cat").label == "cat"
        twin.models.append("another")
        assert client.predict(b"cat").label == "cat"
        monkeypatch.setattr(http, "_DEFAULT_MODEL_S", 0.0)
        with pytest.raises(OptionInvalid, match="Name the model"):
            client.predict(b"cat")


@pytest.mark.timeout(30)
def test_a_stream_may_be_collected_in_the_loops_own_thread(http_url: str) -> None:
    with Client(http_url) as client:
        answers = client.predict_many([b"cat"] * 8, in_flight=2)
        next(answers)
        cycle: list[object] = [answers]
        cycle.append(cycle)
        del answers, cycle
        transport: Any = client._transport
        transport._loop.call_soon(gc.collect)
        assert client.predict(b"dog").label == "dog"


def test_a_client_may_be_closed_when_its_loop_has_ended(http_url: str) -> None:
    client = AsyncClient(http_url)
    assert asyncio.run(client.predict(b"cat")).label == "cat"
    with warnings.catch_warnings():
        # What the ended loop did not close, it warns of when it is collected.
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(client.close())
        gc.collect()


def test_the_password_in_a_url_is_sent_and_not_logged(
    http_url: str, twin: Twin, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with Client(http_url.replace("//", "//me:%73ecret@")) as client:
        client.predict(b"cat")
    assert twin.seen[0]["authorization"] == "Basic " + b64encode(b"me:secret").decode()
    assert "POST http" in caplog.text
    assert "ecret" not in caplog.text


@pytest.mark.parametrize(
    ("variable", "value"),
    [("ALL_PROXY", "socks5://127.0.0.1:9"), ("HTTP_PROXY", "ftp://a"), ("NO_PROXY", "::1/128")],
)
def test_a_proxy_that_cannot_be_used_is_told(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(OptionInvalid, match="proxy that the environment names"):
        Client("http://example.invalid")


def test_files_for_tls_do_not_matter_where_there_is_none(
    flavour: Any, http_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/none.pem")
    with flavour(http_url) as client:
        assert client.predict(b"cat").label == "cat"


class Endless(socketserver.StreamRequestHandler):
    """Answers with zeros that unpack to far more than was sent, without an end."""

    def handle(self) -> None:
        packed = zlib.compressobj(wbits=31)
        with contextlib.suppress(OSError):  # the client has seen enough
            self.request.recv(65536)
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
            while True:
                self.request.sendall(packed.compress(bytes(2**20)))


def test_an_answer_has_an_end(flavour: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MOST_ANSWER_BYTES", 2**24)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Endless) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        with flavour(url) as client, pytest.raises(AnswerInvalid, match="too large"):
            client.models()
        server.shutdown()
        thread.join()


def test_pictures_given_up_on_are_not_logged(
    stand: Stand, twin: Twin, caplog: pytest.LogCaptureFixture
) -> None:
    twin.failures.extend([NOT_A_PICTURE] * 8)

    def answer_once_all_have_come() -> None:
        twin.wait_for_in_flight(8)
        twin.held.set()

    # Cancelled while it connects, anyio can lose a socket, which this test would be blamed for.
    twin.held.clear()
    answering = threading.Thread(target=answer_once_all_have_come)
    answering.start()
    with Client(stand.urls["http"]) as client:
        answers = client.predict_many([b"cat"] * 8, in_flight=8, on_error="return")
        assert isinstance(next(answers), ImageInvalid)
    answering.join(timeout=20)
    del answers
    gc.collect()
    assert "asyncio" not in {record.name for record in caplog.records}
