from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from starlette.requests import Request

from pawsight_serving.errors import (
    ImageInvalid,
    ImageMissing,
    ImageTooLarge,
    MediaTypeUnsupported,
    PawsightError,
    RequestError,
)
from pawsight_serving.gateway.http.bodies import read_pictures
from pawsight_serving.settings import GatewaySettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Message

SETTINGS = GatewaySettings(max_picture_bytes=100, max_request_bytes=1000, max_pictures=2)
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
    ("form", "error"),
    [
        (b"--b--\r\n", ImageMissing),
        (part("picture", b"x") + b"--b--\r\n", ImageMissing),
        (part("image", b"x") + part("other", b"x") + b"--b--\r\n", ImageMissing),
        (part("image", b"x", file=False) + b"--b--\r\n", RequestError),
        (part("image", b"x") * 3 + b"--b--\r\n", RequestError),
        (b"nonsense", RequestError),
    ],
)
async def test_a_form_that_is_none_of_ours(form: bytes, error: type[PawsightError]) -> None:
    with pytest.raises(error) as raised:
        await read(form, BOUNDARY)
    assert type(raised.value) is error


async def test_a_form_without_its_boundary() -> None:
    with pytest.raises(RequestError, match="multipart"):
        await read(b"x", "multipart/form-data")


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
        (b'{"instances": [{"b64": "not base64"}]}', ImageInvalid),
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


@pytest.mark.parametrize("second", ['{"b64": "not base64"}', '{"image_bytes": {}}', "3"])
async def test_the_broken_one_of_several_instances_is_named(second: str) -> None:
    with pytest.raises(RequestError, match=r"^Picture 2: "):
        await read(f'{{"instances": [{{"b64": "eA=="}}, {second}]}}'.encode(), "application/json")


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_another_media_type(media_type: str) -> None:
    with pytest.raises(MediaTypeUnsupported):
        await read(b"x", media_type)


async def test_a_compressed_body() -> None:
    body = Body([b"x"], content_type="image/png", content_encoding="gzip")
    with pytest.raises(MediaTypeUnsupported, match="Content-Encoding"):
        await read_pictures(body.request, SETTINGS)


async def test_an_announced_excess_is_not_read_at_all() -> None:
    body = Body([b"x"], content_type="image/png", content_length="101")
    with pytest.raises(ImageTooLarge, match="100"):
        await read_pictures(body.request, SETTINGS)
    assert body.taken == 0


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
