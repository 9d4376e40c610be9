"""Requests that would rather speak another protocol, as Java's client sends each over http.

A server may leave the wish unheard (RFC 9110, 7.8). httptools cannot: it ends such a request at its
headers, and takes the body for the other protocol. So the request is parsed once more without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httptools

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterable

UPGRADE: Final = b"upgrade"
"""The header that names the other protocol."""


class Parser(httptools.HttpRequestParser):
    """httptools' parser, which hands on what follows the headers of such a request.

    Args:
        protocol: has the callbacks.
        begin_again: takes what follows, after the last callback of the request.
    """

    def __init__(self, protocol: object, begin_again: Callable[[bytes], None]) -> None:
        super().__init__(protocol)
        self._begin_again = begin_again
        # As uvicorn has it: what follows a request that closes the connection is no error.
        self.set_dangerous_leniencies(lenient_data_after_close=True)

    def feed_data(self, data: bytes | bytearray | memoryview | array[int]) -> None:
        """Parse what came."""
        try:
            super().feed_data(data)
        except httptools.HttpParserUpgrade as wish:
            self._begin_again(bytes(data[wish.args[0] :]))


def without_upgrade(
    method: bytes, url: bytes, version: str, headers: Iterable[tuple[bytes, bytes]]
) -> bytes:
    """Return a request's head, with all its headers but the wish."""
    lines = [b"%b: %b\r\n" % header for header in headers if header[0] != UPGRADE]
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, url, version.encode(), b"".join(lines))
