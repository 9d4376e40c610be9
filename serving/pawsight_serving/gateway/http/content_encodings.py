"""Compressed bodies, unpacked as they come: never more of them than is taken away."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Final

from pawsight_serving.errors import MediaTypeUnsupported, RequestError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

# The window bits by which zlib knows the form; HTTP's deflate is zlib's (RFC 9110, 8.4.1.2).
_WINDOW_BITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
# Unpacked within a fraction of a millisecond.
_PIECE_BYTES: Final = 64 * 1024


def unpacked(chunks: AsyncIterator[bytes], encoding: str) -> AsyncIterator[bytes]:
    """Return a body as it was before its `Content-Encoding`, in pieces of 64 KiB where it has one.

    Raises:
        MediaTypeUnsupported: another encoding than gzip, deflate and identity.
        RequestError: while it is read, the body is not so encoded, ends early or goes on too long.
    """
    encoding = encoding.strip().lower()
    if encoding == "identity":
        return chunks
    if encoding not in _WINDOW_BITS:
        raise MediaTypeUnsupported(
            "The Content-Encoding is not supported; send the body uncompressed, or use gzip or "
            "deflate."
        )
    return _unpack(chunks, encoding)


async def _unpack(chunks: AsyncIterator[bytes], encoding: str) -> AsyncGenerator[bytes, None]:
    unpacking = zlib.decompressobj(_WINDOW_BITS[encoding])
    async for chunk in chunks:
        packed = chunk
        while packed and not unpacking.eof:
            try:
                piece = unpacking.decompress(packed, _PIECE_BYTES)
            except zlib.error as error:
                raise _broken(encoding) from error
            yield piece
            packed = unpacking.unconsumed_tail
            # What a small chunk unpacks to may be large; others go on meanwhile.
            await asyncio.sleep(0)
        if packed or unpacking.unused_data:
            raise _broken(encoding)
    # A whole stream has been given out: its checksum, the last of it, is read after all the rest.
    if not unpacking.eof:
        raise _broken(encoding)


def _broken(encoding: str) -> RequestError:
    return RequestError(
        f"The body is not one whole {encoding} stream, as its Content-Encoding says; "
        "compress it again, or send it uncompressed."
    )
