"""Runs uvicorn in a process that has other servers too."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import uvicorn

from pawsight_serving.addresses import Address, bind
from pawsight_serving.errors import AddressUnavailable
from pawsight_serving.gateway.http.connections import BoundedProtocol, ConnectionLimits
from pawsight_serving.observability.observation import Observer
from pawsight_serving.process.periodic import Periodic

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from starlette.types import ASGIApp

    from pawsight_serving.security.tls import Tls

# Enough to write an answer to whoever still reads.
_ANSWERS_S: Final = 1.0
# TLS has each side tell the other that it closes, and a caller with an idle connection may not
# listen.
_GOODBYES_S: Final = 1.0


class HttpServer:
    """Serves an application on one address.

    Args:
        app: what answers.
        grace_s: seconds that requests under way may take at the end.
        limits: the bounds on connections.
        observer: is told of every request that is refused before the application knows of it.
        tls: the server's certificate; without it, nothing is encrypted.
    """

    def __init__(
        self,
        app: ASGIApp,
        grace_s: float,
        limits: ConnectionLimits | None = None,
        tls: Tls | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._tls = tls
        limits = limits or ConnectionLimits()
        self._server = _Uvicorn(
            uvicorn.Config(
                app,
                http=BoundedProtocol,
                ssl_context_factory=None if tls is None else lambda *_: tls.context(),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                # Longer than proxies and clients keep idle connections, so that none of them
                # sends a request into one that is just being closed.
                timeout_keep_alive=75,
                timeout_graceful_shutdown=max(1, round(grace_s)),
            ),
            limits,
            observer or Observer(),
        )
        self._serving: asyncio.Task[None] | None = None

    async def start(self, address: Address, *, shared: bool = False) -> Address:
        """Accept connections, and return where.

        Args:
            address: where.
            shared: whether other processes accept connections there too.

        Raises:
            AddressUnavailable: the address is taken.
            ConfigurationInvalid: the certificate cannot be used.
        """
        if self._tls is not None:
            self._tls.context()
        bound = bind(address, shared=shared)
        port = bound.getsockname()[1]
        self._serving = serving = asyncio.create_task(self._server.serve([bound]))
        listening = asyncio.ensure_future(self._server.listening.wait())
        await asyncio.wait((serving, listening), return_when=asyncio.FIRST_COMPLETED)
        if not listening.done():
            listening.cancel()
            self._serving = None
            bound.close()
            # Another program may have begun to listen since the port was bound.
            raise AddressUnavailable(address) from serving.exception()
        return Address(address.host, port)

    async def stop(self) -> None:
        """Stop accepting, finish the requests under way within the grace, then cancel them.

        A request that is cancelled has a moment for its answer, which says that it was cut off.
        """
        if self._serving is not None:
            self._server.should_exit = True
            await self._serving
            if cancelled := self._server.server_state.tasks:
                await asyncio.wait(cancelled, timeout=_ANSWERS_S)


class _Uvicorn(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, limits: ConnectionLimits, observer: Observer
    ) -> None:
        super().__init__(config)
        self._limits = limits
        self._observer = observer
        self.listening = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process, which has more to end than this server."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen as uvicorn does, with a bound on TLS handshakes, which may take a minute there."""
        loop, tls = asyncio.get_running_loop(), self.config.ssl
        self.servers = [
            await loop.create_server(
                self._protocol,
                sock=each,
                ssl=tls,
                backlog=self.config.backlog,
                ssl_handshake_timeout=None if tls is None else self._limits.header_timeout_s,
            )
            for each in sockets or ()
        ]
        self.started = True
        self.listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End as uvicorn does, and wait for no caller that has all of its answers."""
        hanging_up = Periodic(self._hang_up, _GOODBYES_S, "connections could not be closed")
        hanging_up.start()
        try:
            await super().shutdown(sockets)
        finally:
            await hanging_up.stop()

    async def _hang_up(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, BoundedProtocol):
                connection.hang_up()

    def _protocol(self) -> asyncio.Protocol:
        return BoundedProtocol(self.config, self.server_state, self._limits, self._observer)
