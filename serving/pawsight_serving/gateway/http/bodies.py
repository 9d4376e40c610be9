"""Reads the pictures in a request's body; the limits are checked while it is read."""

from __future__ import annotations

import asyncio
import binascii
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pawsight_serving.errors import (
    ImageInvalid,
    ImageMissing,
    ImageTooLarge,
    MediaTypeUnsupported,
    RequestError,
)
from pawsight_serving.gateway.http.content_encodings import unpacked
from pawsight_serving.gateway.http.forms import read_form
from pawsight_serving.gateway.http.json_bodies import read_json

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from starlette.requests import Request

    from pawsight_serving.requests.admission import Place
    from pawsight_serving.settings import GatewaySettings

A = TypeVar("A")

RAW: Final = "application/octet-stream"
# Python refuses to read numbers of thousands of digits; HTTP's parser lets 64 bits pass.
_MAX_DIGITS: Final = 20
# Parsed within a millisecond or so; a thread costs a tenth of that.
_SMALL_BYTES: Final = 256 * 1024
# Far more than as many pictures have, whatever their callers write beside them.
_MAX_VALUES: Final = 100_000
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_INSTANCES_SHAPE = '{"instances": [{"b64": "…"}]}'


async def read_pictures(
    request: Request, settings: GatewaySettings, place: Place | None = None
) -> list[bytes]:
    """Return the encoded pictures of a body.

    Three kinds of body are read: a picture as it is (`image/*`, `application/octet-stream`, or
    no media type at all), `multipart/form-data` with files named `image`, and the JSON of
    KServe's and TF-Serving's v1 protocol. Each may be compressed, by gzip or deflate.

    Raises:
        MediaTypeUnsupported: another media type, or another compression.
        ImageMissing: no picture in it.
        ImageTooLarge: over the byte limit of a picture or of a request.
        ImageInvalid: a picture's base64 is broken.
        RequestError: the body is not what its media type says.
        Overloaded: `place` cannot hold so many bytes more.
    """
    media_type = media_type_of(request)
    if media_type == RAW or media_type.startswith("image/"):
        return [await read_body(request, settings.max_picture_bytes, place)]
    if media_type == "multipart/form-data":
        chunks = _limited(request, settings.max_request_bytes, place)
        return await read_form(chunks, request.headers["content-type"], settings.max_pictures)
    if media_type == "application/json":
        body = await read_body(request, settings.max_request_bytes, place)
        return await off_the_loop(partial(_from_instances, body, settings), len(body))
    raise MediaTypeUnsupported(
        f"The media type {media_type!r} is not supported; send image/*, application/octet-stream, "
        "multipart/form-data or application/json."
    )


def media_type_of(request: Request) -> str:
    """Return the media type of a body; one that says nothing is bytes."""
    return request.headers.get("content-type", RAW).partition(";")[0].strip().lower()


async def off_the_loop(parse: Callable[[], A], size: int) -> A:
    """Return what `parse` returns; it runs in a thread where there are many bytes."""
    return parse() if size <= _SMALL_BYTES else await asyncio.to_thread(parse)


async def read_body(request: Request, max_bytes: int, place: Place | None = None) -> bytes:
    """Return a request's body, decompressed; its bytes are counted in `place` as they come.

    Raises:
        MediaTypeUnsupported: it is compressed otherwise than by gzip or deflate.
        RequestError: it is not compressed as its header says.
        ImageTooLarge: it has more than `max_bytes`.
        Overloaded: `place` cannot hold so many bytes more.
    """
    chunks = [chunk async for chunk in _limited(request, max_bytes, place)]
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def announced_bytes(header: str) -> int | None:
    """Return the number of bytes that a header announces, or None where it is no such number."""
    return int(header) if header.isdecimal() and len(header) <= _MAX_DIGITS else None


async def _limited(
    request: Request, max_bytes: int, place: Place | None
) -> AsyncGenerator[bytes, None]:
    """Yield the body's chunks, and stop reading as soon as it is known to be too large."""
    if (announced_bytes(request.headers.get("content-length", "")) or 0) > max_bytes:
        raise _too_large(max_bytes)
    encoding = ",".join(request.headers.getlist("content-encoding")) or "identity"
    # Neither what comes nor what it unpacks to may be more.
    came = _bounded(request.stream(), max_bytes)
    async for chunk in _bounded(unpacked(came, encoding), max_bytes):
        if place is not None:
            place.grow(len(chunk))
        if chunk:
            yield chunk


async def _bounded(chunks: AsyncIterator[bytes], max_bytes: int) -> AsyncGenerator[bytes, None]:
    read = 0
    async for chunk in chunks:
        read += len(chunk)
        if read > max_bytes:
            raise _too_large(max_bytes)
        yield chunk


def _too_large(max_bytes: int) -> ImageTooLarge:
    return ImageTooLarge(f"The body has more than {max_bytes} bytes; send less.")


def _from_instances(body: bytes, settings: GatewaySettings) -> list[bytes]:
    document = read_json(body, settings.max_json_depth, _MAX_VALUES, _INSTANCES_SHAPE)
    instances = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(instances, list):
        raise RequestError(f"The JSON has no list of instances; send {_INSTANCES_SHAPE}.")
    if not instances:
        raise ImageMissing("The list of instances is empty; send at least one picture.")
    if len(instances) > settings.max_pictures:
        raise RequestError(
            f"The list has {len(instances)} instances; send at most {settings.max_pictures} "
            "at once."
        )
    return [_from_instance(instance, number) for number, instance in enumerate(instances, 1)]


def _from_instance(instance: Any, number: int) -> bytes:
    if isinstance(instance, dict):
        holder = instance.get("image_bytes", instance)
        if isinstance(holder, dict) and isinstance(text := holder.get("b64"), str):
            return from_base64(text, number)
    raise RequestError(f"Picture {number}: it holds no b64; send {_INSTANCES_SHAPE}.")


def from_base64(text: str, number: int) -> bytes:
    """Return the bytes of the picture of this number in its request.

    Both alphabets of RFC 4648 are read, with padding or without, and in lines.

    Raises:
        ImageInvalid: the text is not base64.
    """
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        pass
    try:
        plain = text.encode("ascii").translate(_URL_SAFE, b" \t\r\n")
        return binascii.a2b_base64(plain + b"=" * (-len(plain) % 4), strict_mode=True)
    except ValueError as error:
        if text.startswith("data:"):
            raise ImageInvalid(
                f"Picture {number}: it is a data: URL; send only what follows its comma."
            ) from error
        raise ImageInvalid(
            f"Picture {number}: it is not base64; encode its bytes with the alphabet of RFC 4648: "
            "A-Z, a-z, 0-9, + and /."
        ) from error
