"""`multipart/form-data` to pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from pawsight_serving.errors import ImageMissing, RequestError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_FIELD: Final = "image"
_SEND: Final = f"send the pictures as files named {_FIELD}, and nothing else"


async def read_form(
    chunks: AsyncIterator[bytes], content_type: str, max_pictures: int
) -> list[bytes]:
    """Return the pictures of a form: its parts named `image`, in their order.

    Args:
        chunks: the body, whose size its reader bounds.
        content_type: the header, which says where parts begin.
        max_pictures: how many there may be.

    Raises:
        RequestError: it is no such form, its boundary is not said, or it has other parts beside
            pictures, or too many.
        ImageMissing: no picture in it.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not boundary:
        raise RequestError(
            "The Content-Type multipart/form-data has no boundary, which says where the parts "
            "begin; leave the header to your client."
        )
    form = _Form(max_pictures)
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": form.part_begins,
                "on_header_field": form.header_name,
                "on_header_value": form.header_value,
                "on_header_end": form.header_ends,
                "on_headers_finished": form.headers_end,
                "on_part_data": form.data,
                "on_end": form.ends,
            },
        )
        # What stands before the first boundary is no part (RFC 2046, 5.1.1), and unknown to the
        # parser; the boundary may be cut by the end of a chunk.
        first, before, found = b"\n--" + boundary, b"\n", False
        async for chunk in chunks:
            if found:
                parser.write(chunk)
                continue
            before += chunk
            if found := (at := before.find(first)) >= 0:
                parser.write(before[at + 1 :])
            before = b"" if found else before[-len(first) :]
    except FormParserError as error:
        raise _broken() from error
    return form.pictures()


class _Form:
    """What the parser has found so far."""

    def __init__(self, max_pictures: int) -> None:
        self._max_pictures = max_pictures
        self._parts = 0
        self._pictures: list[bytearray] = []
        self._part = bytearray()
        self._header, self._value, self._disposition = bytearray(), bytearray(), b""
        self._unknown: str | None = None
        self._ended = False

    def part_begins(self) -> None:
        self._parts += 1
        if self._parts > self._max_pictures:
            raise RequestError(
                f"The form has more than {self._max_pictures} parts; send at most that many "
                "pictures."
            )
        self._part, self._disposition = bytearray(), b""

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_ends(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def headers_end(self) -> None:
        name = parse_options_header(self._disposition)[1].get(b"name", b"").decode("latin-1")
        if name == _FIELD:
            self._pictures.append(self._part)
        elif self._unknown is None:
            self._unknown = name

    def data(self, data: bytes, start: int, end: int) -> None:
        self._part += data[start:end]

    def ends(self) -> None:
        self._ended = True

    def pictures(self) -> list[bytes]:
        if not self._ended:
            raise _broken()
        if not self._pictures:
            raise ImageMissing(f"The form holds no picture; {_SEND}.")
        if self._unknown is not None:
            raise RequestError(f"The form's part {self._unknown!r} is not known here; {_SEND}.")
        return [bytes(picture) for picture in self._pictures]


def _broken() -> RequestError:
    return RequestError(f"The multipart body cannot be read to its last boundary; {_SEND}.")
