"""uvicorn, inside a process that has other servers too."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from pawsight_serving.addresses import Address, bind
from pawsight_serving.gateway.http.connections import ConnectionLimits, bounded

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from starlette.types import ASGIApp

    from pawsight_serving.tls import Tls


class HttpServer:
    """Serves an application on one address.

    Args:
        app: what answers.
        grace_s: seconds that requests under way may take at the end.
        limits: the bounds on connections.
        tls: the server's certificate; without it, nothing is encrypted.
    """

    def __init__(
        self,
        app: ASGIApp,
        grace_s: float,
        limits: ConnectionLimits | None = None,
        tls: Tls | None = None,
    ) -> None:
        self._tls = tls
        self._server = _Uvicorn(
            uvicorn.Config(
                app,
                http=bounded(limits or ConnectionLimits()),
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
            )
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
        self._serving = asyncio.create_task(self._server.serve([bound]))
        await self._server.listening.wait()
        return Address(address.host, port)

    async def stop(self) -> None:
        """Accept no more, finish the requests under way within the grace, then cancel them."""
        if self._serving is not None:
            self._server.should_exit = True
            await self._serving


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process, which has more to end than this server."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()
