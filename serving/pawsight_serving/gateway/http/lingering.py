"""Closing a connection whose caller is still sending: what it sends is read to its end first.

A socket that is closed with bytes unread resets the connection, and the caller loses the answer.
Who sends all before reading could not even send to the end (RFC 9112, 9.6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class LingeringTransport:
    """What uvicorn writes one answer to.

    Args:
        transport: the connection's.
        close: closes it now or, where the request has not been read, once it has.
    """

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.close = close
        self.write = transport.write
        self.is_closing = transport.is_closing
