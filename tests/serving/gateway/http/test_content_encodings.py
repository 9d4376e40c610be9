from __future__ import annotations

import gzip
import random
import zlib
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import MediaTypeUnsupported, RequestError
from pawsight_serving.gateway.http.content_encodings import unpacked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "X-GZip": gzip.compress,
    "deflate": zlib.compress,
}
PLAIN = random.Random(1).randbytes(300) + bytes(300_000)


async def in_chunks(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def pieces(body: bytes, encoding: str, chunk: int = 1 << 20) -> list[bytes]:
    return [piece async for piece in unpacked(in_chunks(body, chunk), encoding)]


@pytest.mark.parametrize("chunk", [1, 100, 1 << 20])
@pytest.mark.parametrize("encoding", sorted(PACK))
async def test_a_body_is_as_it_was_in_pieces_of_a_bounded_size(encoding: str, chunk: int) -> None:
    got = await pieces(PACK[encoding](PLAIN), encoding, chunk)
    assert b"".join(got) == PLAIN
    assert max(map(len, got)) <= 64 * 1024


async def test_a_body_as_it_is_stays_so() -> None:
    assert await pieces(b"abc", "Identity", 2) == [b"ab", b"c"]


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "", "zstd"])
async def test_another_encoding(encoding: str) -> None:
    with pytest.raises(MediaTypeUnsupported, match="gzip or deflate"):
        await pieces(b"", encoding)


@pytest.mark.parametrize("chunk", [1, 1 << 20])
@pytest.mark.parametrize("encoding", sorted(PACK))
@pytest.mark.parametrize("spoil", ["no stream", "cut", "longer", "empty", "wrong"])
async def test_what_is_not_one_whole_stream(encoding: str, spoil: str, chunk: int) -> None:
    packed = PACK[encoding](PLAIN)
    broken = {
        "no stream": b"\xff\xd8 a picture",
        "cut": packed[:-1],
        "longer": packed + b"x",
        "empty": b"",
        "wrong": packed[:-8] + b"xxxxxxxx",
    }[spoil]
    with pytest.raises(RequestError, match="one whole"):
        await pieces(broken, encoding, chunk)


@pytest.mark.parametrize("encoding", sorted(PACK))
async def test_what_follows_a_stream_of_one_piece(encoding: str) -> None:
    with pytest.raises(RequestError, match="one whole"):
        await pieces(PACK[encoding](b"abc") + b"x", encoding)
