"""A connection that takes its time, as those to busy or far machines do."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def slow(host: str, port: int, delay_s: float) -> AsyncIterator[int]:
    """Yield the port of a way to an address, whose first answer comes late."""
    ways: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, port)
        forth = asyncio.ensure_future(carry(reader, back))
        try:
            await asyncio.sleep(delay_s)
            await carry(there, writer)
        except ConnectionError:
            pass
        finally:
            forth.cancel()
            await asyncio.gather(forth, return_exceptions=True)
            writer.close()
            back.close()

    def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(way(reader, writer))
        ways.add(task)
        task.add_done_callback(ways.discard)

    server = await asyncio.start_server(taken, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for each in ways:
            each.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
