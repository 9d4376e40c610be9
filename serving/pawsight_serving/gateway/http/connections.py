"""Bounds on connections: their number, the headers and time of a request, and unread answers.

uvicorn leaves these bounds to a proxy in front of it; Pawsight does not need one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from weakref import ref

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pawsight_serving.errors import DeadlineExceeded, Overloaded, RequestError
from pawsight_serving.gateway.http.lingering import LingeringTransport
from pawsight_serving.gateway.http.pipelining import PipelineFlow
from pawsight_serving.gateway.http.refusals import refusal
from pawsight_serving.gateway.http.unread import unread_bytes
from pawsight_serving.gateway.http.upgrades import UPGRADE, Parser, without_upgrade
from pawsight_serving.requests.calls import accept_request_id

if TYPE_CHECKING:
    import asyncio
    from asyncio.trsock import TransportSocket

    import uvicorn
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
    from uvicorn.server import ServerState

    from pawsight_serving.errors import PawsightError
    from pawsight_serving.observability.observation import Observer
    from pawsight_serving.settings import GatewaySettings

BEGAN: Final = "began"
"""Key of a request's `state`: when its headers had come, by `time.perf_counter`."""
REFUSED_WITH: Final = "refused"
"""Key of a request's `state`: the code with which it was refused while it was worked on."""

# A caller that is refused early may still be sending; it should see why.
_LINGER_S: Final = 2.0
# Parsed at once: more could hold more requests than may wait in one connection.
_PIECE: Final = 16 * 1024
_CODING: Final = b"transfer-encoding"
_BODY: Final = frozenset({b"content-length", _CODING})


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The bounds on connections; see the settings of the same names."""

    max_connections: int = 1024
    max_header_bytes: int = 16 * 1024
    header_timeout_s: float = 10.0
    body_timeout_s: float = 20.0
    idle_timeout_s: float = 300.0

    @classmethod
    def of(cls, settings: GatewaySettings) -> ConnectionLimits:
        """Return the bounds in the settings."""
        return cls(
            settings.max_connections,
            settings.max_header_bytes,
            settings.header_timeout_s,
            settings.body_timeout_s,
            settings.idle_timeout_s,
        )


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with bounds; one per connection.

    Args:
        config: uvicorn's.
        server_state: what all connections of the server share.
        limits: the bounds.
        observer: is told of every request that is refused before the application knows of it.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        limits: ConnectionLimits,
        observer: Observer,
    ) -> None:
        super().__init__(config, server_state, app_state={})
        self._limits = limits
        self._observer = observer
        self._timer: asyncio.TimerHandle | None = None
        # Ends a connection whose caller does not read.
        self._unread_timer: asyncio.TimerHandle | None = None
        # Since when a request is being sent; None between two requests.
        self._since_s: float | None = None
        # Bytes since the last that were of use: headers, and what stands around a body's chunks.
        self._idle_bytes = 0
        # Whether the request that is being parsed would rather speak another protocol.
        self._wants_upgrade = False
        # Whether its headers have come; fields behind its body are none of them.
        self._has_headers = False
        # Whether its answer closes the connection once it has been read.
        self._closes = False
        # Of a body, what is not handed on yet.
        self._parts: list[bytes] = []
        # What came while requests wait, and is not parsed yet.
        self._held = b""
        # The last answer: a refusal, which may wait until the requests before it are answered.
        self._due: bytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or refuse it where there are too many."""
        super().connection_made(transport)
        self._socket: TransportSocket = transport.get_extra_info("socket")
        self.flow = PipelineFlow(transport, self.pipeline)
        self.parser = Parser(self, self._begin_again)
        self._wait(self._limits.header_timeout_s)
        if len(self.connections) > self._limits.max_connections:
            self._refuse(
                HTTPStatus.TOO_MANY_REQUESTS,
                Overloaded(
                    f"The server has {self._limits.max_connections} connections and takes no "
                    "more; wait a moment, then try again."
                ),
            )

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._wait(None)
        self._expect_reading(None)
        super().connection_lost(exc)

    def hang_up(self) -> None:
        """End a connection that is closed already and has nothing left to send."""
        if self.transport.is_closing() and not unread_bytes(self._socket):
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse what came, and refuse headers without end."""
        self._held += data
        self._parse_held()

    def _parse_held(self) -> None:
        """Parse what came, while no request waits for its turn: the rest may hold thousands."""
        held, self._held = self._held, b""
        for start in range(0, len(held), _PIECE):
            if self.pipeline and not self._is_over:
                self._held = held[start:]
                return
            self._parse(held[start : start + _PIECE])

    def _parse(self, data: bytes) -> None:
        if self._is_over:
            return
        self._idle_bytes += len(data)
        super().data_received(data)
        self._hand_on_body()
        if self._idle_bytes > self._limits.max_header_bytes:
            self._refuse_headers()
        elif self._idle_bytes and self._timer is None:
            # Line ends before a request are not one yet, and may go on for ever.
            self._wait(self._limits.header_timeout_s)

    def on_message_begin(self) -> None:
        """Begin to read a request."""
        super().on_message_begin()
        self._has_headers = False
        self._since_s = time.perf_counter()
        self._wait(self._limits.header_timeout_s)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, without the blanks that the parser leaves behind its value.

        A field behind a body in chunks is dropped: whoever stands between, such as a proxy that
        sets a header, may not have looked at it (RFC 9110, 6.5.1).
        """
        if not self._has_headers:
            super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        """Begin to answer a request, unless its headers are too large."""
        if self._is_over:
            return
        self._idle_bytes = 0
        self._has_headers = True
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self._limits.max_header_bytes:
            self._refuse_headers()
            return
        self._wants_upgrade = self.parser.should_upgrade() and UPGRADE in dict(self.headers)
        if self._wants_upgrade:
            return
        if (wrong := self._wrong_in_headers()) is not None:
            self._refuse(HTTPStatus.BAD_REQUEST, RequestError(wrong))
            return
        self.scope["state"][BEGAN] = time.perf_counter()
        # While others are answered first, nobody waits for its body.
        self._wait(None if self._answers_are_due() else self._limits.body_timeout_s)
        super().on_headers_complete()
        # A cycle that held itself would keep its body until Python's collector comes by.
        cycle = ref(self.cycle)
        self.cycle.transport = LingeringTransport(self.transport, lambda: self._close(cycle()))  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        """Take a part of the body; those that come together are handed on together."""
        self._idle_bytes = 0
        # Of chunks of one byte there are thousands at once.
        self._parts.append(body)

    def _hand_on_body(self) -> None:
        parts, self._parts = self._parts, []
        if parts and not self._is_over:
            super().on_body(b"".join(parts))

    def on_message_complete(self) -> None:
        """End the request's body."""
        if self._wants_upgrade:
            return
        self._wait(None)
        self._since_s, self._idle_bytes = None, 0
        self._hand_on_body()
        if self._closes:
            self.transport.close()
        if not self._is_over:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """End an answer, and begin the next one that is due.

        A caller who is still sending the request that was answered has little time left for it.
        """
        was_last = not self.pipeline
        self._expect_reading(self._limits.idle_timeout_s)
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if not was_last:
            if not self.pipeline and self.cycle.more_body and self._due is None:
                self._wait(self._limits.body_timeout_s)
        elif self._due is not None:
            self._send_last(self._due)
        elif self.cycle.more_body:
            self._wait(_LINGER_S)
        self._parse_held()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the parser's words
        """Refuse what the parser cannot read."""
        self._refuse(
            HTTPStatus.BAD_REQUEST,
            RequestError(
                "The request is not well-formed HTTP/1.1: check its method, its headers, and the "
                "lengths of its body or of the body's chunks."
            ),
        )

    def _close(self, cycle: RequestResponseCycle | None) -> None:
        """Close the connection, once the request that was answered has been read."""
        self._closes = cycle is not None and cycle.more_body
        if self._closes:
            self._wait(_LINGER_S)
        else:
            self.transport.close()

    def _wait(self, timeout_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if timeout_s is None else self.loop.call_later(timeout_s, self._cut)

    def _expect_reading(self, timeout_s: float | None) -> None:
        """Give the caller so long for what it has not read; the connection holds it in memory."""
        if self._unread_timer is not None:
            self._unread_timer.cancel()
        self._unread_timer = (
            None if timeout_s is None else self.loop.call_later(timeout_s, self._cut_unread)
        )

    def _cut_unread(self) -> None:
        if unread_bytes(self._socket):
            self.transport.abort()

    def _cut(self) -> None:
        self._timer = None
        if self._since_s is None:
            # Nothing of a request has come; an answer may be under way to the one before.
            if self.cycle is None or self.cycle.response_complete:
                self.transport.close()
        elif self._answers_are_due():
            # Whoever waits for an answer need not have sent the next request.
            self._wait(self._limits.header_timeout_s)
        elif self._is_cycles_request() and self.cycle.response_started:
            self.transport.close()
        else:
            self._refuse(
                HTTPStatus.REQUEST_TIMEOUT,
                DeadlineExceeded("The request came too slowly; send it faster or in parts."),
            )

    def _begin_again(self, rest: bytes) -> None:
        """Parse a request once more, without its wish for another protocol."""
        if self._wants_upgrade and not self.transport.is_closing():
            version = self.parser.get_http_version()
            head = without_upgrade(self.parser.get_method(), self.url, version, self.headers)
            self.parser = Parser(self, self._begin_again)
            self.parser.feed_data(head + rest)

    def _wrong_in_headers(self) -> str | None:
        """Say what is wrong with headers that the parser lets pass; None where nothing is."""
        names = [name for name, _ in self.headers]
        codings = [value.strip().lower() for name, value in self.headers if name == _CODING]
        if self.parser.should_upgrade() and _BODY & set(names):
            # The parser takes what follows CONNECT for another protocol.
            return "This server is no proxy; send the body by POST."
        if codings not in ([], [b"chunked"]):
            return "The Transfer-Encoding is not supported; send the body as it is, or chunked."
        if names.count(b"host") != 1 and self.parser.get_http_version() == "1.1":
            return "A request of HTTP/1.1 has one Host header; send it once."
        return None

    @property
    def _is_over(self) -> bool:
        """Whether what comes is dropped: the connection closes, or does so after a refusal."""
        return self.transport.is_closing() or self._due is not None

    def _answers_are_due(self) -> bool:
        """Return whether requests before the one that is being read have not been answered."""
        if self._is_cycles_request():
            return any(cycle is self.cycle for cycle, _ in self.pipeline)
        return self.cycle is not None and not self.cycle.response_complete

    def _is_cycles_request(self) -> bool:
        """Return whether the request that is being read is the one that was last handed on."""
        return self.cycle is not None and self.cycle.scope is self.scope

    def _refuse_headers(self) -> None:
        self._refuse(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            RequestError(
                f"The request's headers have more than {self._limits.max_header_bytes} bytes; "
                "send fewer."
            ),
        )

    def _refuse(self, status: HTTPStatus, error: PawsightError) -> None:
        """Answer without the application, in the request's turn, and close the connection."""
        if self._is_over:
            return
        self._due = refusal(status, error, self._tell(error))
        if not self._answers_are_due():
            self._send_last(self._due)
            return
        self._wait(None)
        if self._is_cycles_request():
            # Of those that wait it is the last one that came.
            self.pipeline.popleft()

    def _send_last(self, answer: bytes) -> None:
        """Send a refusal, and close the connection.

        Of a request that the application does not know, the rest is read first, for a while: the
        refusal would not arrive.
        """
        self.transport.write(answer)
        if self._since_s is None or self._is_cycles_request():
            self.transport.close()
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._since_s = None
        self._wait(_LINGER_S)

    def _tell(self, error: PawsightError) -> str:
        """Report the refusal to the observer, once, and return the request's id."""
        sent = dict(self.headers or ()).get(b"x-request-id")
        request_id = accept_request_id(None if sent is None else sent.decode("latin-1"))
        waiting = {cycle for cycle, _ in self.pipeline}
        if self._is_cycles_request() and self.cycle not in waiting:
            # The application has it, and tells of its end.
            state = self.scope["state"]
            state[REFUSED_WITH] = error.code
            return str(state.setdefault("request_id", request_id))
        since_s = self._since_s
        waited_s = 0.0 if since_s is None else time.perf_counter() - since_s
        self._observer.refused("http", request_id, error.code, waited_s)
        return request_id
