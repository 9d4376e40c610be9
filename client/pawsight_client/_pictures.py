"""Whatever a caller calls a picture, to encoded bytes."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from pawsight_client._errors import DependencyMissing, ImageInvalid, ImageUnreadable

if TYPE_CHECKING:
    from PIL import Image


class PixelArray(Protocol):
    """A NumPy array, or what looks like one; Pillow's pictures do."""

    @property
    def __array_interface__(self) -> dict[str, Any]: ...


Picture: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | PixelArray
"""Path of a file, its bytes, a PIL image, or RGB pixels, uint8, [height, width, 3]."""

_PNG_MODES: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})


def encode(picture: Picture) -> bytes:
    """Return the picture as the bytes of a file; files go as they are, pixels become a PNG.

    Raises:
        ImageUnreadable: the file cannot be read.
        ImageInvalid: an array that is not uint8, [height, width, 3].
        DependencyMissing: pixels need Pillow, and it is not installed.
        TypeError: not a picture at all.
    """
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return bytes(picture)
    if isinstance(picture, (str, os.PathLike)):
        try:
            return Path(picture).read_bytes()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not a path"
            raise ImageUnreadable(f"{os.fspath(picture)!r} cannot be read: {reason}.") from error
    if not hasattr(picture, "__array_interface__"):
        raise TypeError(
            "A picture is a path, bytes, a PIL image or a uint8 array [height, width, 3], "
            f"not {type(picture).__name__}."
        )
    return _png(picture)


def _png(picture: PixelArray) -> bytes:
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise DependencyMissing(
            "Sending pixels needs Pillow: pip install pillow, or send the path of a file."
        ) from error
    if isinstance(picture, Image.Image):
        # Saved as PNG, the picture would lose the orientation that the server minds in a file.
        image = ImageOps.exif_transpose(picture)
        image = image if image.mode in _PNG_MODES else image.convert("RGB")
    else:
        image = _from_pixels(picture)
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _from_pixels(pixels: PixelArray) -> Image.Image:
    from PIL import Image

    interface = pixels.__array_interface__
    shape = tuple(interface["shape"])
    if interface["typestr"] != "|u1" or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise ImageInvalid(
            "Pixels must be RGB, uint8, of shape [height, width, 3]; "
            f"these are {interface['typestr']} of shape {list(shape)}."
        )
    return Image.fromarray(pixels)
