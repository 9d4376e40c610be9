"""Bounds on connections that have not sent a whole request: their number, headers and time.

uvicorn leaves these bounds to a proxy in front of it; Pawsight does not need one.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pawsight_serving.errors import DeadlineExceeded, Overloaded, RequestError
from pawsight_serving.gateway.http.lingering import LingeringTransport
from pawsight_serving.gateway.http.upgrades import UPGRADE, Parser, without_upgrade
from pawsight_serving.requests.calls import accept_request_id

if TYPE_CHECKING:
    import asyncio

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
_CODING: Final = b"transfer-encoding"
_BODY: Final = frozenset({b"content-length", _CODING})


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The bounds on connections; see the settings of the same names."""

    max_connections: int = 1024
    max_header_bytes: int = 16 * 1024
    header_timeout_s: float = 10.0
    body_timeout_s: float = 20.0

    @classmethod
    def of(cls, settings: GatewaySettings) -> ConnectionLimits:
        """Return the bounds in the settings."""
        return cls(
            settings.max_connections,
            settings.max_header_bytes,
            settings.header_timeout_s,
            settings.body_timeout_s,
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

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or refuse it where there are too many."""
        super().connection_made(transport)
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
        super().connection_lost(exc)

    def hang_up(self) -> None:
        """End a connection that is closed already and has nothing left to send."""
        if self.transport.is_closing() and not self.transport.get_write_buffer_size():
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse what came, and refuse headers without end."""
        if self.transport.is_closing():
            return
        self._idle_bytes += len(data)
        super().data_received(data)
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
        if self.transport.is_closing():
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
        self._wait(self._limits.body_timeout_s)
        super().on_headers_complete()
        cycle = self.cycle
        cycle.transport = LingeringTransport(self.transport, lambda: self._close(cycle))  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._idle_bytes = 0
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request's body."""
        if self._wants_upgrade:
            return
        self._wait(None)
        self._since_s, self._idle_bytes = None, 0
        if self._closes:
            self.transport.close()
        if not self.transport.is_closing():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """End the answer; a caller still sending the request has little time left for it."""
        if self.cycle.more_body:
            self._wait(_LINGER_S)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the parser's words
        """Refuse what the parser cannot read."""
        self._refuse(
            HTTPStatus.BAD_REQUEST,
            RequestError(
                "The request is not well-formed HTTP/1.1: check its method, its headers, and the "
                "lengths of its body or of the body's chunks."
            ),
        )

    def _close(self, cycle: RequestResponseCycle) -> None:
        """Close the connection, once the request that was answered has been read."""
        self._closes = cycle.more_body
        if self._closes:
            self._wait(_LINGER_S)
        else:
            self.transport.close()

    def _wait(self, timeout_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if timeout_s is None else self.loop.call_later(timeout_s, self._cut)

    def _cut(self) -> None:
        self._timer = None
        if self._since_s is None:
            # Nothing of a request has come; an answer may be under way to the one before.
            if self.cycle is None or self.cycle.response_complete:
                self.transport.close()
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
        """Answer without the application, and close the connection."""
        if self.transport.is_closing():
            return
        request_id = self._tell(error)
        body = orjson.dumps({"error": str(error), "code": error.code, "request_id": request_id})
        after_s = error.retry_after_s
        retry = b"" if after_s is None else b"retry-after: %d\r\n" % math.ceil(after_s)
        self.transport.write(
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nx-request-id: {request_id}\r\n"
            "x-content-type-options: nosniff\r\n".encode()
            + retry
            + b"connection: close\r\n\r\n"
            + body
        )
        self.transport.close()

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
