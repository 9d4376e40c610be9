"""Whatever a caller calls a picture, to encoded bytes."""

from __future__ import annotations

import io
import os
import struct
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol, TypeAlias

from pawsight_client._errors import DependencyMissing, ImageInvalid, ImageTooLarge, ImageUnreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import Image


class PixelArray(Protocol):
    """A NumPy array, or what looks like one; Pillow's pictures do."""

    @property
    def __array_interface__(self) -> dict[str, Any]: ...


Picture: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | PixelArray
"""Path of a file, its bytes, a PIL image, or RGB pixels, uint8, [height, width, 3]."""

MOST_BYTES: Final = 512 * 1024 * 1024
"""Far more than servers take, which is 10 MiB where nobody set that otherwise."""
_PART_BYTES: Final = 1024 * 1024

# Of other modes than a PNG's, what keeps their transparency.
_NEAREST: Final = {"La": "LA", "RGBa": "RGBA", "PA": "RGBA"}
# A TIFF's tags: how many bits a value has, and whether zero is black or white.
_BITS: Final = 258
_PHOTOMETRIC: Final = 262
# What an array interface's letters stand for.
_KINDS: Final = {"i": "int", "u": "uint", "f": "float"}
_PNG_MODES: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})


def encode(picture: Picture) -> bytes:
    """Return the picture as the bytes of a file; files go as they are, pixels become a PNG.

    Raises:
        ImageUnreadable: the file cannot be read.
        ImageTooLarge: the file or its bytes are more than `MOST_BYTES`.
        ImageInvalid: an array that is not uint8, [height, width, 3], or a PIL image that cannot be
            read, or has 32 bits a channel.
        DependencyMissing: pixels need Pillow, and it is not installed.
        TypeError: not a picture at all.
    """
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return _bounded(bytes(picture), "The picture")
    if isinstance(picture, (str, os.PathLike)):
        try:
            with open(picture, "rb") as file:  # noqa: PTH123 - Path("") is the working folder
                return _bounded(read_all(file), repr(os.fspath(picture)))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not a path"
            raise ImageUnreadable(f"{os.fspath(picture)!r} cannot be read: {reason}.") from error
    # Of the class: a PIL image has its pixels written out to answer for itself.
    if not hasattr(type(picture), "__array_interface__"):
        raise TypeError(
            "A picture is a path, bytes, a PIL image or a uint8 array [height, width, 3], "
            f"not {type(picture).__name__}."
        )
    return _png(picture)


def read_all(file: BinaryIO) -> bytes:
    """Return what a file holds; of one without an end only so much that `encode` refuses it."""
    data = bytearray()
    while len(data) <= MOST_BYTES and (part := file.read(_PART_BYTES)):
        data += part
    return bytes(data)


def _bounded(data: bytes, name: str) -> bytes:
    if len(data) > MOST_BYTES:
        raise ImageTooLarge(f"{name} has more than {MOST_BYTES} bytes; send a smaller picture.")
    return data


def _png(picture: PixelArray) -> bytes:
    try:
        from PIL import ExifTags, Image
    except ImportError as error:
        raise DependencyMissing(
            "Sending pixels needs Pillow: pip install pillow, or send the path of a file."
        ) from error
    if not isinstance(picture, Image.Image):
        return _file(_from_pixels(picture))
    try:
        picture.load()
        # Saved as PNG, the picture would lose the orientation that the server reads from a file.
        turned = Image.Exif()
        if (orientation := _orientation(picture)) in range(2, 9):
            turned[ExifTags.Base.Orientation] = orientation
        return _file(_saveable(picture), exif=turned)
    except ImageInvalid:
        raise
    except Exception as error:  # Pillow's plugins raise what they like
        raise ImageInvalid(
            "The PIL image cannot be read; is it closed, empty or of a file that was cut off?"
        ) from error


def _orientation(picture: Image.Image) -> object:
    """Return what EXIF says, and nothing where it is broken, as the server does with a file."""
    from PIL import ExifTags

    try:
        return picture.getexif().get(ExifTags.Base.Orientation)
    except (SyntaxError, struct.error):
        return None


def _saveable(picture: Image.Image) -> Image.Image:
    """Return the picture in a mode that a PNG has, nothing lost that a server would see.

    Raises:
        ImageInvalid: numbers of 32 bits a channel.
    """
    if picture.mode in {"I", "F"}:
        # Nothing says which of their values is white.
        raise ImageInvalid("The PIL image has 32 bits a channel; send it with 8 or 16.")
    if picture.mode.startswith("I;16") and (levels := _levels(getattr(picture, "tag_v2", {}))):
        return picture.convert("I").point(levels, "L")
    if picture.mode in _PNG_MODES:
        return picture
    if picture.mode.startswith("I;16"):
        # By way of 32 bits: Pillow converts no 16 bits into others.
        return picture.convert("I").convert("I;16")
    return picture.convert(_NEAREST.get(picture.mode, "RGB"))


def _levels(tags: Mapping[int, Any]) -> list[int]:
    """Return the grey of 8 bits that the server makes of a TIFF's values, which a PNG has not.

    Nothing where they are as a PNG's: of 16 bits, and white the highest.
    """
    (bits,), white_is_zero = tags.get(_BITS, (16,)), tags.get(_PHOTOMETRIC) == 0
    if bits == 16 and not white_is_zero:
        return []
    most = 2**bits - 1
    levels = [min(255, round(value / (most / 255))) for value in range(2**16)]
    return [255 - level for level in levels] if white_is_zero else levels


def _file(image: Image.Image, **options: Image.Exif) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1, **options)
    return file.getvalue()


def _from_pixels(pixels: PixelArray) -> Image.Image:
    from PIL import Image

    interface = pixels.__array_interface__
    shape = tuple(interface["shape"])
    if interface["typestr"] != "|u1" or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise ImageInvalid(
            "Pixels must be RGB, uint8, of shape [height, width, 3]; "
            f"these are {_type_name(interface['typestr'])} of shape {list(shape)}."
        )
    return Image.fromarray(pixels)


def _type_name(typestr: str) -> str:
    """Return the name that NumPy has for what an array interface calls "|u1" or "<f4"."""
    kind, size = _KINDS.get(typestr[1:2]), typestr[2:]
    if kind is None or not size.isdecimal():
        return "bool" if typestr == "|b1" else typestr
    return f"{kind}{8 * int(size)}"
