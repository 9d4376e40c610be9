from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import ImageMissing, PawsightError, RequestError
from pawsight_serving.gateway.http.forms import read_form

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TYPE = "multipart/form-data; boundary=bound"
END = b"--bound--\r\n"


def part(name: str, data: bytes, filename: str | None = "f") -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    head = f'--bound\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + data + b"\r\n"


async def in_chunks(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body: bytes, content_type: str = TYPE, chunk: int = 1 << 20) -> list[bytes]:
    return await read_form(in_chunks(body, chunk), content_type, max_pictures=2)


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1000])
async def test_pictures_in_their_order_however_the_body_comes(chunk: int) -> None:
    body = part("image", b"one\r\n--boun") + part("image", b"two") + END
    assert await read(body, chunk=chunk) == [b"one\r\n--boun", b"two"]


@pytest.mark.parametrize("filename", ["cat.jpg", "", None])
async def test_a_picture_needs_no_file_name(filename: str | None) -> None:
    assert await read(part("image", b"\xff\xd8", filename) + END) == [b"\xff\xd8"]


@pytest.mark.parametrize("first", [True, False])
async def test_its_disposition_alone_names_a_part(first: bool) -> None:
    headers = [b'Content-Type: image/png; name="other', b'Content-Disposition: x; name="image"']
    head = b"\r\n".join(headers if first else headers[::-1])
    body = b"--bound\r\n" + head + b"\r\n\r\none\r\n" + part("image", b"two") + END
    assert await read(body) == [b"one", b"two"]


@pytest.mark.parametrize("chunk", [1, 5, 1000])
@pytest.mark.parametrize(
    "preamble", [b"\r\n", b"\n", b"This is a message.\r\n", b"--other\r\n--boun\r\n\r\n", b"-\r\n"]
)
async def test_what_stands_around_the_parts_is_left(preamble: bytes, chunk: int) -> None:
    body = preamble + part("image", b"one") + END + b"What follows."
    assert await read(body, chunk=chunk) == [b"one"]


@pytest.mark.parametrize("name", ["other", "images", ""])
@pytest.mark.parametrize("filename", ["cat.jpg", None])
@pytest.mark.parametrize("first", [True, False])
async def test_a_part_beside_the_pictures_is_named(
    name: str, filename: str | None, first: bool
) -> None:
    parts = [part(name, b"x", filename), part("image", b"one")]
    with pytest.raises(RequestError, match=f"'{name}' is not known here; .* named image"):
        await read(b"".join(parts if first else parts[::-1]) + END)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (END, ImageMissing),
        (part("picture", b"x") + END, ImageMissing),
        (part("image", b"x") * 3 + END, RequestError),
        (part("other", b"x") * 3 + END, RequestError),
        (part("image", b"x"), RequestError),
        (part("image", b"x")[:30], RequestError),
        (b"nonsense", RequestError),
        (b"", RequestError),
        (b"--boundless\r\n" + part("image", b"x") + END, RequestError),
    ],
)
async def test_a_form_that_is_none_of_ours(body: bytes, error: type[PawsightError]) -> None:
    with pytest.raises(error) as raised:
        await read(body)
    assert type(raised.value) is error


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", TYPE + "x" * 999, "multipart/form-data; boundary="]
)
async def test_a_form_without_its_boundary(content_type: str) -> None:
    with pytest.raises(RequestError, match="multipart"):
        await read(part("image", b"x") + END, content_type)


async def test_who_writes_the_header_by_hand_is_told_what_it_lacks() -> None:
    with pytest.raises(RequestError, match=r"has no boundary.*leave the header to your client"):
        await read(part("image", b"x") + END, "multipart/form-data")
