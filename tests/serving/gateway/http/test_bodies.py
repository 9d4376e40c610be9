from __future__ import annotations

import base64
import gzip
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest
from starlette.requests import Request

from pawsight_serving.errors import (
    ImageInvalid,
    ImageMissing,
    ImageTooLarge,
    MediaTypeUnsupported,
    Overloaded,
    PawsightError,
    RequestError,
)
from pawsight_serving.gateway.http.bodies import from_base64, read_pictures
from pawsight_serving.requests.admission import Admission, Place
from pawsight_serving.requests.byte_budget import ByteBudget
from pawsight_serving.settings import GatewaySettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Message

SETTINGS = GatewaySettings(max_picture_bytes=100, max_request_bytes=1000, max_pictures=2)
ONE_PICTURE = '{"b64": "eA=="}'
BOUNDARY = "multipart/form-data; boundary=b"


class Body:
    """A request whose body comes in chunks, and that knows how many were taken."""

    def __init__(self, chunks: Iterable[bytes], **headers: str) -> None:
        self._chunks = iter(chunks)
        self.taken = 0
        self.request = Request(
            {
                "type": "http",
                "method": "POST",
                "headers": [
                    (name.replace("_", "-").encode(), value.encode())
                    for name, value in headers.items()
                ],
            },
            self._receive,
        )

    async def _receive(self) -> Message:
        self.taken += 1
        chunk = next(self._chunks, b"")
        return {"type": "http.request", "body": chunk, "more_body": bool(chunk)}


def part(name: str, data: bytes, *, file: bool = True) -> bytes:
    filename = '; filename="f"' if file else ""
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n\r\n'
    return head.encode() + data + b"\r\n"


async def read(body: bytes, media_type: str) -> list[bytes]:
    return await read_pictures(Body([body], content_type=media_type).request, SETTINGS)


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "image/jpeg"},
        {"content_type": "IMAGE/PNG; q=1"},
        {"content_type": "application/octet-stream"},
        {"content_type": "image/png", "content_encoding": "Identity"},
        {},
    ],
)
async def test_a_picture_as_it_is(headers: dict[str, str]) -> None:
    body = Body([b"ab", b"cd"], **headers)
    assert await read_pictures(body.request, SETTINGS) == [b"abcd"]


async def test_files_of_a_form_in_their_order() -> None:
    form = part("image", b"one") + part("image", b"two") + b"--b--\r\n"
    assert await read(form, BOUNDARY) == [b"one", b"two"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"{", RequestError),
        (b"[]", RequestError),
        (b"{}", RequestError),
        (b'{"instances": {}}', RequestError),
        (b'{"instances": []}', ImageMissing),
        (b'{"instances": ["eA=="]}', RequestError),
        (b'{"instances": [{"b64": 3}]}', RequestError),
        (b'{"instances": [{"image_bytes": "eA=="}]}', RequestError),
        (b'{"instances": [{"b64": "not base64!"}]}', ImageInvalid),
        ('{"instances": [{"b64": "ü"}]}'.encode(), ImageInvalid),
        (b"[" * 900 + b"]" * 90, RequestError),
    ],
)
async def test_json_that_is_none_of_ours(body: bytes, error: type[PawsightError]) -> None:
    with pytest.raises(error) as raised:
        await read(body, "application/json")
    assert type(raised.value) is error


async def test_instances_in_their_order() -> None:
    one, two = (base64.b64encode(data).decode() for data in (b"one", b"two"))
    body = f'{{"instances": [{{"b64": "{one}"}}, {{"image_bytes": {{"b64": "{two}"}}}}]}}'
    assert await read(body.encode(), "application/json; charset=utf-8") == [b"one", b"two"]


@pytest.mark.parametrize("sent", ["-_8-", "+/8+", "-_8-\r\n", "-/ 8\n+"])
def test_both_alphabets_of_base64_are_read_and_in_lines(sent: str) -> None:
    assert from_base64(sent, 1) == b"\xfb\xff\x3e"


@pytest.mark.parametrize("sent", ["eHk=", "eHk", "eH k", " eHk= "])
def test_the_padding_of_base64_may_be_left_out(sent: str) -> None:
    assert from_base64(sent, 1) == b"xy"


@pytest.mark.parametrize("sent", ["e", "eHk=eHk=", "eHk==", "e*", "ü", "=", "eA\x00"])
def test_what_is_no_base64_is_told_which_is_wanted(sent: str) -> None:
    with pytest.raises(ImageInvalid, match=r"Picture 3: .*RFC 4648"):
        from_base64(sent, 3)


def test_a_data_url_is_told_what_to_send() -> None:
    with pytest.raises(ImageInvalid, match="only what follows its comma"):
        from_base64("data:image/png;base64,eA==", 1)


@pytest.mark.parametrize("second", ['{"b64": "not base64!"}', '{"image_bytes": {}}', "3"])
async def test_the_broken_one_of_several_instances_is_named(second: str) -> None:
    with pytest.raises(RequestError, match=r"^Picture 2: "):
        await read(f'{{"instances": [{{"b64": "eA=="}}, {second}]}}'.encode(), "application/json")


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_another_media_type(media_type: str) -> None:
    with pytest.raises(MediaTypeUnsupported):
        await read(b"x", media_type)


@pytest.mark.parametrize("media_type", ["image/png", BOUNDARY, "application/json"])
async def test_a_compressed_body(media_type: str) -> None:
    plain = {
        "image/png": b"one",
        BOUNDARY: part("image", b"one") + b"--b--\r\n",
        "application/json": b'{"instances": [{"b64": "b25l"}]}',
    }[media_type]
    packed = gzip.compress(plain)
    body = Body([packed[:9], packed[9:]], content_type=media_type, content_encoding="gzip")
    assert await read_pictures(body.request, SETTINGS) == [b"one"]


async def test_another_compression() -> None:
    body = Body([b"x"], content_type="image/png", content_encoding="br")
    with pytest.raises(MediaTypeUnsupported, match="Content-Encoding"):
        await read_pictures(body.request, SETTINGS)
    assert body.taken == 0


async def test_a_compression_of_a_compression_is_refused_in_two_headers_too() -> None:
    body = Body([gzip.compress(gzip.compress(b"one"))], content_encoding="gzip")
    body.request.scope["headers"].append((b"content-encoding", b"gzip"))
    with pytest.raises(MediaTypeUnsupported, match="Content-Encoding"):
        await read_pictures(body.request, SETTINGS)


async def test_a_bomb_is_never_held() -> None:
    bomb = zlib.compress(bytes(64 << 20))
    place = Place(Admission(1))
    chunks = [bomb[start : start + 1000] for start in range(0, len(bomb), 1000)]
    body = Body(chunks, content_type="image/png", content_encoding="deflate")
    settings = GatewaySettings(max_picture_bytes=1_000_000)
    tracemalloc.start()
    with pytest.raises(ImageTooLarge, match="1000000"):
        await read_pictures(body.request, settings, place)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
    assert body.taken < len(chunks) / 10


async def test_what_comes_is_bounded_whatever_it_unpacks_to() -> None:
    blocks_of_nothing = b"\x78\x9c" + b"\x00\x00\x00\xff\xff" * 1000
    body = Body([blocks_of_nothing[:90], blocks_of_nothing[90:]], content_encoding="deflate")
    with pytest.raises(ImageTooLarge):
        await read_pictures(body.request, SETTINGS)


@pytest.mark.parametrize("announced", [101, 2**63 - 1, 2**64 - 1])
async def test_an_announced_excess_is_not_read_at_all(announced: int) -> None:
    body = Body([b"x"], content_type="image/png", content_length=str(announced))
    with pytest.raises(ImageTooLarge, match="100"):
        await read_pictures(body.request, SETTINGS)
    assert body.taken == 0


@pytest.mark.parametrize("headers", [{}, {"content_length": "100"}])
async def test_a_picture_may_have_all_bytes_that_it_may(headers: dict[str, str]) -> None:
    body = Body([b"x" * 60, b"x" * 40], **headers)
    assert await read_pictures(body.request, SETTINGS) == [b"x" * 100]


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_each_byte_is_counted_before_the_next_is_read(encoding: str) -> None:
    admission = Admission(1, ByteBudget(50))
    chunks = [b"x" * 40] * 2
    if encoding == "gzip":
        chunks = [gzip.compress(b"".join(chunks))]
    body = Body(chunks, content_encoding=encoding)
    with pytest.raises(Overloaded):
        await read_pictures(body.request, SETTINGS, Place(admission))
    small = Place(admission)
    assert await read_pictures(Body([b"x" * 10]).request, SETTINGS, small) == [b"x" * 10]
    assert small.grown == 10


async def test_more_instances_than_may_be_are_told_how_many() -> None:
    def instances(number: int) -> bytes:
        return f'{{"instances": [{", ".join([ONE_PICTURE] * number)}]}}'.encode()

    assert await read(instances(2), "application/json") == [b"x", b"x"]
    with pytest.raises(RequestError, match="3 instances; send at most 2"):
        await read(instances(3), "application/json")


@pytest.mark.parametrize(
    ("media_type", "chunks_read"),
    [("image/png", 11), ("application/json", 101), (BOUNDARY, 101)],
)
async def test_reading_stops_at_the_limit(media_type: str, chunks_read: int) -> None:
    first = part("image", b"")[:-2].ljust(10, b"x") if "multipart" in media_type else b"x" * 10
    body = Body([first, *[b"x" * 10] * 1000], content_type=media_type)
    with pytest.raises(ImageTooLarge):
        await read_pictures(body.request, SETTINGS)
    assert body.taken <= chunks_read
