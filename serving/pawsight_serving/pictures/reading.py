"""Encoded pictures to tensors: the one path that training, calibration and serving share.

The limits are checked on the bytes and on the header, before a pixel is decoded.
"""

from __future__ import annotations

import functools
import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

# Of a format that Pillow has not loaded, it loads all fifty that it knows to look for it.
import PIL.WebPImagePlugin  # noqa: F401
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import TiffImageFile

from pawsight_serving.errors import ImageInvalid, ImageMissing, ImageTooLarge
from pawsight_serving.pictures.slow_pictures import check_segments, check_tiles
from pawsight_serving.pictures.truncation import is_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

DECODER_VERSION: Final = 2
"""Raise it where a file gives other pixels than before: training keeps what it has decoded."""
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")

# Of a TIFF: how many bits a value has, and whether the lowest is black or white.
_BITS: Final = ExifTags.Base.BitsPerSample
_PHOTOMETRIC: Final = ExifTags.Base.PhotometricInterpretation
# Whether its values have signs, and whether its colours lie apart.
_SAMPLE_FORMAT: Final = ExifTags.Base.SampleFormat
_SIGNED: Final = 2
_PLANES: Final = ExifTags.Base.PlanarConfiguration
_APART: Final = 2
_BYTE: Final = 8

_OF_32_BITS: Final = frozenset({"I", "F"})

# What turns a picture upright, by EXIF's orientation.
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """Bounds on the bytes and pixels of an encoded picture."""

    max_bytes: int = 10 * 1024 * 1024
    max_pixels: int = 50_000_000


DEFAULT_LIMITS: Final = PictureLimits()


def open_picture(
    data: bytes, limits: PictureLimits = DEFAULT_LIMITS, *, at_least: tuple[int, int] | None = None
) -> Image.Image:
    """Decode a picture, upright and in RGB, in its own size.

    Args:
        data: the encoded picture; of an animation the first frame is taken.
        limits: byte and pixel limits.
        at_least: (height, width) in pixels that the caller needs. A JPEG may then be decoded
            at a fraction of its size, never below this one: that is several times faster.

    Raises:
        ImageMissing: `data` is empty.
        ImageTooLarge: over a limit; nothing was decoded.
        ImageInvalid: not a picture, truncated, too slow to decode, or a format outside `FORMATS`.
        MemoryError: the machine has none left; that is not the picture's fault.
    """
    if not data:
        raise ImageMissing("The picture is empty; send the bytes of a JPEG or PNG file.")
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(
            f"The picture has {len(data)} bytes; at most {limits.max_bytes} are taken; "
            "send a smaller one."
        )
    check_segments(data)
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
        pixels = picture.width * picture.height
        if pixels > limits.max_pixels:
            raise ImageTooLarge(
                f"The picture has {picture.width}x{picture.height} pixels; "
                f"at most {limits.max_pixels} in all are taken; send a smaller one."
            )
        check_tiles(picture, len(data))
        _check_samples(picture)
        if not is_whole(data, picture.format or ""):
            raise ImageInvalid("The picture ends too early; send the whole file.")
        if at_least is not None:
            # `draft` may scale both sides down; the longer target serves for both, as a
            # picture on its side is turned only after decoding.
            side = max(at_least)
            picture.draft("RGB", (side, side))
        picture.load()
        return _to_rgb(_upright(picture))
    except (ImageTooLarge, ImageInvalid, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise ImageTooLarge(
            f"The picture has too many pixels; at most {limits.max_pixels} are taken; "
            "send a smaller one."
        ) from error
    except Exception as error:  # Pillow's plugins raise what they like
        raise ImageInvalid(
            "The bytes are not a readable picture; "
            f"send a whole {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file."
        ) from error


def decode_picture(
    data: bytes, size: tuple[int, int], limits: PictureLimits = DEFAULT_LIMITS
) -> NDArray[np.uint8]:
    """Decode a picture and squash it to the model's input size.

    Args:
        data: the encoded picture.
        size: (height, width) of the model's input, in pixels.
        limits: byte and pixel limits.

    Returns:
        RGB, uint8, shape [height, width, 3]; bilinear with antialiasing.

    Raises:
        ImageMissing, ImageTooLarge, ImageInvalid: as `open_picture`.
    """
    picture = open_picture(data, limits, at_least=size)
    height, width = size
    squashed = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(squashed, dtype=np.uint8)


def _check_samples(picture: Image.Image) -> None:
    """Refuse a TIFF whose values Pillow reads as others, without an error."""
    if not isinstance(picture, TiffImageFile) or picture.mode in _OF_32_BITS:
        return
    if _SIGNED in picture.tag_v2.get(_SAMPLE_FORMAT, ()):
        raise ImageInvalid("The picture's values have signs; send it with values from zero on.")
    bits = picture.tag_v2.get(_BITS, (_BYTE,))
    is_raw = any(tile.codec_name == "raw" for tile in picture.tile)
    if is_raw and picture.tag_v2.get(_PLANES) == _APART and len(bits) > 1 and max(bits) > _BYTE:
        raise ImageInvalid(
            "The picture's colours lie apart, uncompressed and with more than 8 bits; "
            "send it with 8, compressed, or with its colours together."
        )


def _upright(picture: Image.Image) -> Image.Image:
    """Return the picture as its EXIF says that it was held.

    Pillow's own function copies each picture, and writes all of its EXIF anew: it fails where that
    holds anything that Pillow cannot write.
    """
    orientation = _orientation(picture)
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return picture if turn is None else picture.transpose(turn)


def _orientation(picture: Image.Image) -> object:
    """Return what EXIF says, and nothing where it is broken: the pixels are whole without it."""
    try:
        return picture.getexif().get(ExifTags.Base.Orientation)
    except (SyntaxError, struct.error):
        return None


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16"):
        picture = _upper_byte(picture)
    if picture.has_transparency_data:
        clear = picture if picture.mode == "RGBA" else picture.convert("RGBA")
        # The same pixels as those of `alpha_composite`, which takes two copies more.
        white = Image.new("RGB", clear.size, "white")
        white.paste(clear, mask=clear)
        return white
    if picture.mode in _OF_32_BITS:
        # Nothing says which of their values is white.
        raise ImageInvalid("The picture has 32 bits a channel; send it with 8 or 16.")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _upper_byte(picture: Image.Image) -> Image.Image:
    """Return grey of 12 or 16 bits in 8; Pillow's own conversion clips it to white instead."""
    tags = picture.tag_v2 if isinstance(picture, TiffImageFile) else {}
    (bits,) = tags.get(_BITS, (16,))
    values = np.asarray(picture)
    levels = _levels(bits)[values]
    # Where zero is white, Pillow inverts grey of 8 bits alone.
    grey = Image.fromarray(255 - levels if tags.get(_PHOTOMETRIC) == 0 else levels)
    clear = picture.info.get("transparency")
    if clear is not None:
        grey.putalpha(Image.fromarray(values != clear))
    return grey


@functools.cache
def _levels(bits: int) -> NDArray[np.uint8]:
    """Return the grey of 8 bits for each value of 16; a picture takes one byte a pixel by it."""
    values = np.arange(2**16)
    levels: NDArray[np.float64] = np.clip(np.rint(values / ((2**bits - 1) / 255)), 0, 255)
    return levels.astype(np.uint8)
