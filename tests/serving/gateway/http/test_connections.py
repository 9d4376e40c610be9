from __future__ import annotations

import asyncio
import gc
import json
import re
import socket
import ssl
import weakref
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pawsight_serving.addresses import Address
from pawsight_serving.gateway.http.connections import BoundedProtocol, ConnectionLimits
from pawsight_serving.gateway.http.request_middleware import RequestMiddleware
from pawsight_serving.gateway.http.server import HttpServer
from pawsight_serving.observability.observation import Observer
from pawsight_serving.security.tls import Tls
from tests.serving.certificates import Authority
from tests.serving.heard import Heard
from tests.serving.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.requests import Request
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

HERE = Address("127.0.0.1", 0)
GET = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"
CHUNKED = b"transfer-encoding: chunked"
ENDING = GET.replace(b"host", b"connection: close\r\nhost")
SLOW = GET.replace(b"GET /", b"GET /slowly")
# More than the system takes from a server for a caller who does not read.
MUCH = 32 * 1024 * 1024
SOME = 60_000
HALF_A_BODY = b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 9\r\n\r\nhalf"


async def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse((await request.body()) or b"done")


async def at_once(request: Request) -> PlainTextResponse:
    return PlainTextResponse("refused", 413)


async def slowly(request: Request) -> PlainTextResponse:
    await asyncio.sleep(0.4)
    return PlainTextResponse("slow")


async def much(request: Request) -> PlainTextResponse:
    return PlainTextResponse(b"x" * MUCH)


async def some(request: Request) -> PlainTextResponse:
    return PlainTextResponse(b"x" * SOME)


APP = Starlette(
    routes=[
        Route("/some", some),
        Route("/much", much),
        Route("/", answer, methods=["GET", "POST"]),
        Route("/at-once", at_once, methods=["POST"]),
        Route("/slowly", slowly),
    ]
)


@asynccontextmanager
async def serving(
    heard: Heard | None = None, tls: Tls | None = None, /, **limits: float
) -> AsyncIterator[Address]:
    observer = Observer(*([heard] if heard else ()))
    app = RequestMiddleware(APP, observer)
    server = HttpServer(
        app,
        1,
        ConnectionLimits(**limits),  # type: ignore[arg-type]
        tls,
        observer,
    )
    try:
        yield await server.start(HERE)
    finally:
        await server.stop()


async def said(address: Address, *sent: bytes) -> bytes:
    """Send, and return all that comes until the server closes the connection."""
    reader, writer = await asyncio.open_connection(*address)
    for part in sent:
        writer.write(part)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[BoundedProtocol]:
    """Return what the server makes of each connection, for which its system keeps little."""
    made: list[BoundedProtocol] = []
    begin = BoundedProtocol.connection_made

    def watched(protocol: BoundedProtocol, transport: asyncio.Transport) -> None:
        made.append(protocol)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        begin(protocol, transport)

    monkeypatch.setattr(BoundedProtocol, "connection_made", watched)
    return made


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def asking(address: Address, authority: Authority | None) -> socket.socket:
    """Connect, for who reads only when it is told to, and whose system keeps little for it."""

    def connect() -> socket.socket:
        caller = socket.socket()
        caller.settimeout(10)
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.connect(address)
        if authority is None:
            return caller
        trusted = ssl.create_default_context(cafile=authority.file)
        return trusted.wrap_socket(caller, server_hostname="localhost")

    return await asyncio.to_thread(connect)


def statuses(answers: bytes) -> list[int]:
    return list(map(int, re.findall(rb"HTTP/1.1 (\d{3}) ", answers)))


def refused(answer: bytes, status: int, code: str) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    error = json.loads(body)
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert error["code"] == code
    assert error["request_id"].encode() in head
    return str(error["error"])


async def test_a_connection_within_the_limits_is_uvicorns() -> None:
    async with serving() as address:
        reader, writer = await asyncio.open_connection(*address)
        for _ in range(2):
            writer.write(GET)
            assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")
        writer.write(HALF_A_BODY)
        writer.write(b" more")
        assert (await reader.readuntil(b"half more")).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_who_was_asked_for_the_body_keeps_the_connection() -> None:
    async with serving() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(
            b"POST / HTTP/1.1\r\nhost: here\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n"
        )
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        writer.write(b"body" + GET)
        assert b"connection: close" not in await reader.readuntil(b"done")
        writer.close()


@pytest.mark.parametrize(
    "headers", [b"a: " + b"x" * 900, b"a: b\r\n" * 200, b"a" * 900 + b": b", b"a: " + b"x" * 99_999]
)
@pytest.mark.parametrize("end", [b"\r\n\r\n", b""])
async def test_headers_without_end_are_refused(headers: bytes, end: bytes) -> None:
    async with serving(max_header_bytes=600) as address:
        answer = await said(address, b"GET / HTTP/1.1\r\nhost: here\r\n" + headers, end)
        assert "600 bytes" in refused(answer, 431, "REQUEST_INVALID")


async def test_a_long_url_counts() -> None:
    async with serving(max_header_bytes=600) as address:
        answer = await said(address, b"GET /" + b"x" * 900 + b" HTTP/1.1\r\nhost: here\r\n\r\n")
        refused(answer, 431, "REQUEST_INVALID")


@pytest.mark.parametrize("sent", [b"GET / HT", b"GET / HTTP/1.1\r\nhost: he"])
async def test_who_sends_headers_slowly_is_cut(sent: bytes) -> None:
    async with serving(header_timeout_s=0.1) as address:
        answer = await said(address, sent)
        if answer:
            refused(answer, 408, "DEADLINE_EXCEEDED")


async def test_who_says_nothing_at_all_is_cut() -> None:
    async with serving(header_timeout_s=0.1) as address:
        assert await said(address) == b""


async def test_who_sends_a_body_slowly_is_cut() -> None:
    async with serving(body_timeout_s=0.1) as address:
        refused(await said(address, HALF_A_BODY), 408, "DEADLINE_EXCEEDED")


async def test_who_waits_for_an_answer_is_not_taken_for_a_slow_sender() -> None:
    async with serving(header_timeout_s=0.1) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(SLOW.replace(b"host", b"connection: close\r\n" + CHUNKED + b"\r\nhost"))
        writer.write(b"4\r\nhalf\r\n")
        await asyncio.sleep(0.05)
        # What is around a body's parts ends the request here, and begins none.
        writer.write(b"0\r\n\r\n")
        assert statuses(await asyncio.wait_for(reader.read(), 10)) == [200]
        writer.close()


async def test_who_was_answered_early_and_goes_on_sending_is_cut() -> None:
    async with serving(body_timeout_s=30) as address:
        answer = await said(address, HALF_A_BODY.replace(b"POST /", b"POST /at-once"))
        assert statuses(answer) == [413]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"HTTP/1.1\r\nconnection: close", 413),
        (b"HTTP/1.0", 413),
        (b"HTTP/1.1\r\ncontent-length: many", 400),
        (b"HTTP/1.1\r\ntransfer-encoding: gzip", 400),
        (b"HTTP/1.1\r\nlong: " + b"x" * 20_000, 431),
    ],
)
async def test_who_reads_after_sending_all_gets_the_early_answer(head: bytes, status: int) -> None:
    size = 8_000_000  # far more than the system keeps for a reader
    head = b"POST /at-once " + head + b"\r\nhost: here\r\ncontent-length: %d\r\n\r\n" % size
    async with serving() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(head)
        for _ in range(size // 100_000):
            writer.write(b"x" * 100_000)
            await asyncio.wait_for(writer.drain(), 10)
        writer.write(GET)
        answer = await asyncio.wait_for(reader.read(), 10)
        assert statuses(answer) == [status]
        writer.close()


async def test_who_never_sends_all_is_cut_after_the_early_answer() -> None:
    close = HALF_A_BODY.replace(b"POST /", b"POST /at-once").replace(
        b"host", b"connection: close\r\nhost"
    )
    async with serving(body_timeout_s=30) as address:
        answer = await said(address, close)
        assert statuses(answer) == [413]


async def test_who_does_not_read_an_answer_holds_no_connection_for_ever() -> None:
    async with serving(idle_timeout_s=0.5, max_connections=1) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(GET.replace(b"/", b"/much", 1))
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        assert (await said(address, GET)).startswith(b"HTTP/1.1 429")
        async with asyncio.timeout(10):
            while not (await said(address, ENDING)).startswith(b"HTTP/1.1 200"):
                pass
        with pytest.raises(asyncio.IncompleteReadError):
            await reader.readexactly(MUCH)
        writer.close()


async def test_who_has_read_its_answers_keeps_the_connection() -> None:
    async with serving(header_timeout_s=0.2, idle_timeout_s=0.2) as address:
        reader, writer = await asyncio.open_connection(*address)
        for _ in range(2):
            writer.write(GET.replace(b"/", b"/some", 1))
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            await reader.readexactly(SOME)
            await asyncio.sleep(0.3)
        writer.close()


@pytest.mark.parametrize("is_encrypted", [False, True])
async def test_who_still_reads_as_the_server_ends_has_the_whole_answer(
    is_encrypted: bool, authority: Authority, made: list[BoundedProtocol]
) -> None:
    tls = Tls(*authority.issue("localhost")) if is_encrypted else None
    async with serving(None, tls) as address:
        with await asking(address, authority if is_encrypted else None) as caller:
            caller.sendall(ENDING.replace(b"/", b"/some", 1))
            await until(lambda: bool(made) and made[0].transport.is_closing())
            made[0].hang_up()
            answer = await asyncio.to_thread(caller.makefile("rb").read)
    assert answer.endswith(b"x" * SOME)


async def test_hanging_up_ends_what_is_closed_and_nothing_else(
    authority: Authority, made: list[BoundedProtocol]
) -> None:
    async with serving(None, Tls(*authority.issue("localhost"))) as address:
        with await asking(address, authority) as caller:
            for sent in (GET, ENDING):
                caller.sendall(sent)
                answer = b""
                while not answer.endswith(b"done"):
                    answer += await asyncio.to_thread(caller.recv, 4096)
                made[0].hang_up()

            def is_over() -> bool:
                made[0].hang_up()
                return made[0] not in made[0].connections

            # The caller does not say goodbye.
            await until(is_over)


@pytest.mark.parametrize("is_encrypted", [False, True])
async def test_an_answer_that_is_not_read_is_held_no_longer_than_it_may(
    is_encrypted: bool, authority: Authority, made: list[BoundedProtocol]
) -> None:
    tls = Tls(*authority.issue("localhost")) if is_encrypted else None
    async with serving(None, tls, idle_timeout_s=0.2) as address:
        with await asking(address, authority if is_encrypted else None) as caller:
            caller.sendall(GET.replace(b"/", b"/some", 1))
            await until(lambda: len(made) == 1)
            await until(lambda: made[0] not in made[0].connections)


async def test_bodies_that_were_refused_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[RequestResponseCycle]] = []
    begin = BoundedProtocol.on_headers_complete

    def watched(protocol: BoundedProtocol) -> None:
        begin(protocol)
        made.append(weakref.ref(protocol.cycle))

    monkeypatch.setattr(BoundedProtocol, "on_headers_complete", watched)
    refused = b"POST /at-once HTTP/1.1\r\nhost: here\r\ncontent-length: 4\r\n\r\nbody"
    async with serving() as address:
        reader, writer = await asyncio.open_connection(*address)
        gc.disable()
        try:
            for _ in range(3):
                writer.write(refused)
                await asyncio.wait_for(reader.readuntil(b"refused"), 10)
            assert [cycle() is None for cycle in made[:-1]] == [True, True]
        finally:
            gc.enable()
            writer.close()


async def test_a_connection_that_has_ended_is_kept_by_no_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[weakref.ref[BoundedProtocol]] = []
    begin = BoundedProtocol.connection_made

    def watched(protocol: BoundedProtocol, transport: asyncio.Transport) -> None:
        made.append(weakref.ref(protocol))
        begin(protocol, transport)

    def are_gone() -> bool:
        gc.collect()
        return all(connection() is None for connection in made)

    monkeypatch.setattr(BoundedProtocol, "connection_made", watched)
    async with serving(header_timeout_s=300, idle_timeout_s=300) as address:
        assert statuses(await said(address, ENDING)) == [200]
        _, writer = await asyncio.open_connection(*address)
        writer.write(GET[:-2])
        await until(lambda: len(made) == 2)
        writer.close()
        await until(are_gone)


async def test_more_connections_than_may_be_are_refused_at_once() -> None:
    async with serving(max_connections=2) as address:
        held = [await asyncio.open_connection(*address) for _ in range(2)]
        answer = await said(address)
        assert "2 connections" in refused(answer, 429, "OVERLOADED")
        assert b"retry-after: 1" in answer
        reader, writer = held[0]
        writer.write(GET)
        assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")
        for _, writer in held:
            writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\r\n\r\n",
        GET.replace(b"GET", b"FETCH"),
        GET.replace(b"host", b"content-length: many\r\nhost"),
        HALF_A_BODY.replace(b"host", b"content-length: 8\r\nhost"),
        HALF_A_BODY.replace(b"host", CHUNKED + b"\r\nhost"),
        HALF_A_BODY.replace(b"content-length: 9", CHUNKED),
    ],
)
async def test_what_is_not_well_formed_is_one_sentence(sent: bytes) -> None:
    async with serving() as address:
        answer = refused(await said(address, sent), 400, "REQUEST_INVALID")
        assert "not well-formed HTTP/1.1" in answer


@pytest.mark.parametrize(
    ("coding", "told"),
    [
        (b"gzip, chunked", "not supported; send the body as it is, or chunked"),
        (b"identity", "not supported; send the body as it is, or chunked"),
        (b"gzip", "not supported; send the body as it is, or chunked"),
        (b"chunked, chunked", "not well-formed"),
    ],
)
async def test_a_body_coded_otherwise_than_in_chunks_is_refused(coding: bytes, told: str) -> None:
    body = HALF_A_BODY.replace(b"content-length: 9", b"transfer-encoding: " + coding)
    async with serving() as address:
        assert told in refused(await said(address, body), 400, "REQUEST_INVALID")


async def test_the_coding_in_chunks_has_any_case() -> None:
    head = HALF_A_BODY.replace(b"content-length: 9", b"Transfer-Encoding: Chunked")[:-4]
    async with serving() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(head + b"4\r\ndone\r\n0\r\n\r\n")
        assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")
        writer.close()


@pytest.mark.parametrize("hosts", [b"", b"host: here\r\nhost: there\r\n"])
async def test_a_request_has_one_host(hosts: bytes) -> None:
    heard = Heard()
    async with serving(heard) as address:
        sent = GET.replace(b"host: here\r\n", hosts)
        assert "Host" in refused(await said(address, sent), 400, "REQUEST_INVALID")
        older = await said(address, b"GET / HTTP/1.0\r\n\r\n")
        assert older.startswith(b"HTTP/1.1 200")
    assert heard.said() == [("refused", "REQUEST_INVALID"), ("answer", "OK")]


@pytest.mark.parametrize(
    ("sent", "limits", "status", "code", "method"),
    [
        (
            b"GET / HTTP/1.1\r\nx-request-id: mine\r\nhost",
            {"header_timeout_s": 0.1},
            408,
            "",
            "refused",
        ),
        (HALF_A_BODY, {"body_timeout_s": 0.1}, 408, "", "answer"),
        (b"GET / HTTP/1.1\r\na: " + b"x" * 900, {"max_header_bytes": 600}, 431, "", "refused"),
        (b"\x16\x03\x01\r\n\r\n", {}, 400, "REQUEST_INVALID", "refused"),
        (HALF_A_BODY.replace(b"content-length: 9", CHUNKED), {}, 400, "", "answer"),
        (b"", {"max_connections": 0}, 429, "OVERLOADED", "refused"),
    ],
)
async def test_who_is_refused_is_counted_once_with_the_code_and_the_id_that_were_sent(
    sent: bytes, limits: dict[str, float], status: int, code: str, method: str
) -> None:
    heard = Heard()
    async with serving(heard, **limits) as address:
        answer = await said(address, sent)
    code = code or {408: "DEADLINE_EXCEEDED"}.get(status, "REQUEST_INVALID")
    refused(answer, status, code)
    body = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert heard.said() == [(method, code)]
    assert heard.requests[0].request_id == body["request_id"]
    assert body["request_id"] == "mine" or b"mine" not in sent
    assert heard.requests[0].total_s >= (0.1 if status == 408 else 0)


async def test_what_was_answered_is_counted_as_it_was_answered() -> None:
    heard = Heard()
    async with serving(heard, header_timeout_s=0.1) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(GET)
        assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")
        writer.write(GET[:-2])
        rest = await asyncio.wait_for(reader.read(), 10)
        refused(rest, 408, "DEADLINE_EXCEEDED")
        writer.close()
    assert heard.said() == [
        ("answer", "OK"),
        ("refused", "DEADLINE_EXCEEDED"),
    ]


async def test_line_ends_between_two_requests_hold_no_connection() -> None:
    async with serving(header_timeout_s=0.1) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(GET)
        assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")
        writer.write(b"\r\n")
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()


@pytest.mark.parametrize("trailers", [b"a: b\r\n" * 99_999, b"a: " + b"x" * 999_999])
async def test_what_follows_a_body_in_parts_is_bounded(trailers: bytes) -> None:
    body = HALF_A_BODY.replace(b"content-length: 9", CHUNKED)[:-4] + b"4\r\nhalf\r\n0\r\n"
    heard = Heard()
    async with serving(heard, max_header_bytes=600) as address:
        if answer := await said(address, body, trailers):  # who still sends may see a reset
            refused(answer, 431, "REQUEST_INVALID")
    assert [code for _, code in heard.said()] == ["REQUEST_INVALID"]


@pytest.mark.parametrize("wait_s", [0.0, 0.05])
async def test_what_follows_a_body_in_parts_is_no_header(wait_s: float) -> None:
    head = b"POST / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n" + CHUNKED + b"\r\n\r\n"
    heard = Heard()
    async with serving(heard) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(head + b"4\r\nhalf\r\n0\r\n")
        await asyncio.sleep(wait_s)
        writer.write(b"x-request-id: smuggled\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 10)
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"smuggled" not in answer
        writer.close()


async def test_a_body_in_parts_may_be_longer_than_headers() -> None:
    parts = b"1\r\nx\r\n" * 5_000 + b"0\r\n\r\n"
    body = HALF_A_BODY.replace(b"content-length: 9", CHUNKED)[:-4] + parts
    async with serving(max_header_bytes=600) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(body)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(5_000) == b"x" * 5_000
        writer.close()


async def test_parts_of_a_body_that_come_together_are_handed_on_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handed: list[bytes] = []
    hand_on = HttpToolsProtocol.on_body

    def count(protocol: HttpToolsProtocol, body: bytes) -> None:
        handed.append(body)
        hand_on(protocol, body)

    monkeypatch.setattr(HttpToolsProtocol, "on_body", count)
    head = b"POST / HTTP/1.1\r\nhost: here\r\n" + CHUNKED + b"\r\n\r\n"
    sent = [head + (b"1\r\n%b\r\n" % each) * 2_000 + b"0\r\n\r\n" for each in (b"x", b"y")]
    async with serving() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"".join(sent))
        for each in (b"x", b"y"):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(2_000) == each * 2_000
        writer.close()
    assert len(handed) < 100


async def test_nothing_behind_refused_headers_is_answered() -> None:
    heard = Heard()
    async with serving(heard, max_header_bytes=600) as address:
        long = GET.replace(b"here", b"x" * 900)
        answer = await said(address, long + GET)
        assert answer.count(b"HTTP/1.1") == 1
    assert [code for _, code in heard.said()] == ["REQUEST_INVALID"]


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
async def test_who_would_rather_speak_another_protocol_is_answered_in_this_one(
    protocol: bytes,
) -> None:
    heard = Heard()
    wish = b"connection: upgrade\r\nupgrade: " + protocol + b"\r\n"
    whole = HALF_A_BODY.replace(b"content-length", wish + b"content-length") + b" more"
    chunked = b"POST / HTTP/1.1\r\nhost: here\r\n" + wish + CHUNKED + b"\r\n\r\n"
    async with serving(heard) as address:
        reader, writer = await asyncio.open_connection(*address)
        for sent, last in (
            ([whole], b"half more"),
            ([whole[:60], whole[60:-3], whole[-3:]], b"half more"),
            ([chunked + b"2\r\nhi\r\n", b"0\r\n\r\n"], b"hi"),
            ([GET.replace(b"host", wish + b"host") + GET], b"done"),
            ([], b"done"),
        ):
            for part in sent:
                writer.write(part)
                await asyncio.sleep(0)
            assert (await asyncio.wait_for(reader.readuntil(last), 10)).startswith(b"HTTP/1.1 200")
        writer.close()
    assert heard.said() == [("answer", "OK")] * 5


async def test_a_wish_for_another_protocol_loosens_no_bound() -> None:
    wish = b"connection: upgrade\r\nupgrade: h2c\r\n"
    async with serving(max_header_bytes=600) as address:
        long = GET.replace(b"host", wish + b"x: " + b"x" * 900 + b"\r\nhost")
        refused(await said(address, long + GET), 431, "REQUEST_INVALID")
        refused(await said(address, GET.replace(b"host: here", wish[:-2])), 400, "REQUEST_INVALID")
        broken = HALF_A_BODY.replace(b"length: 9", b"length: 9\r\n" + wish + CHUNKED)
        refused(await said(address, broken), 400, "REQUEST_INVALID")


async def test_a_tunnel_with_a_body_is_refused() -> None:
    async with serving() as address:
        tunnel = HALF_A_BODY.replace(b"POST", b"CONNECT")
        assert "no proxy" in refused(await said(address, tunnel), 400, "REQUEST_INVALID")


async def test_a_tunnel_is_answered_once_and_opened_to_nobody() -> None:
    heard = Heard()
    async with serving(heard) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(GET.replace(b"GET", b"CONNECT"))
        assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 405")
        writer.close()
    assert len(heard.said()) == 1


async def test_blanks_behind_a_header_are_none_of_its_value() -> None:
    async with serving() as address:
        sent = b"connection: close\r\nx-request-id: mine \t\r\nhost"
        assert b"x-request-id: mine\r\n" in await said(address, GET.replace(b"host", sent))


async def test_answers_come_in_the_order_of_their_requests() -> None:
    async with serving() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(SLOW + GET * 5 + HALF_A_BODY + b" more")
        said = await asyncio.wait_for(reader.readuntil(b"half more"), 10)
        assert said.count(b"HTTP/1.1 200") == 7
        assert said.index(b"slow") < said.index(b"done")
        writer.close()


@pytest.mark.parametrize(
    ("behind", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (GET.replace(b"host: here", b"no: host"), 400),
        (HALF_A_BODY.replace(b"content-length: 9", b"transfer-encoding: gzip"), 400),
        (GET.replace(b"here", b"x" * 900), 431),
        (HALF_A_BODY.replace(b"content-length: 9", CHUNKED)[:-4] + b"no length\r\n", 400),
    ],
)
async def test_a_refusal_comes_after_the_answers_that_are_due(behind: bytes, status: int) -> None:
    heard = Heard()
    async with serving(heard, max_header_bytes=600) as address:
        answer = await said(address, SLOW + GET + behind + GET)
        assert statuses(answer) == [200, 200, status]
        assert answer.index(b"slow") < answer.index(b"done")
    assert sorted(code for _, code in heard.said()) == ["OK", "OK", "REQUEST_INVALID"]


async def test_who_waits_for_an_answer_need_not_have_sent_the_next_request() -> None:
    async with serving(header_timeout_s=0.1, body_timeout_s=0.3) as address:
        for begun in (b"GET / HT", HALF_A_BODY):
            # Its own time begins with its turn.
            assert statuses(await said(address, SLOW + begun)) == [200, 408]


async def test_who_sent_a_request_behind_another_keeps_the_connection() -> None:
    async with serving(body_timeout_s=0.1) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(GET + GET)
        for _ in range(2):
            await asyncio.wait_for(reader.readuntil(b"done"), 10)
        await asyncio.sleep(0.3)
        writer.write(GET)
        await asyncio.wait_for(reader.readuntil(b"done"), 10)
        writer.close()


async def test_a_body_behind_another_request_has_all_of_its_time() -> None:
    async with serving(body_timeout_s=30) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(GET + HALF_A_BODY)
        assert await asyncio.wait_for(reader.readuntil(b"done"), 10)
        await asyncio.sleep(2.5)
        writer.write(b" more")
        assert await asyncio.wait_for(reader.readuntil(b"half more"), 10)
        writer.close()


async def test_a_caller_queues_no_requests_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    queued: list[int] = []
    parse = BoundedProtocol._parse

    def counting(protocol: BoundedProtocol, data: bytes) -> None:
        parse(protocol, data)
        queued.append(len(protocol.pipeline))

    monkeypatch.setattr(BoundedProtocol, "_parse", counting)
    async with serving() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(SLOW + GET * 5_000 + HALF_A_BODY + b" more")
        for _ in range(5_000):
            await asyncio.wait_for(reader.readuntil(b"done"), 10)
        await asyncio.wait_for(reader.readuntil(b"half more"), 10)
        writer.close()
    assert max(queued) <= 16 * 1024 // len(GET) + 1
