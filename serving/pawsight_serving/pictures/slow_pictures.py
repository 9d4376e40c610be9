"""Files that would hold a decoder up for minutes, though their bytes and their pixels are few.

Decoding cannot be broken off, so such a file is refused before it. The bounds are several times
what cameras and editors write.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pawsight_serving.errors import ImageInvalid

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

# Each scan of a progressive JPEG is a pass over all of the pixels, and may have few bytes.
_MOST_SCANS: Final = 100
_MOST_SEGMENTS: Final = 1000
_MOST_TILES: Final = 65_536
# Pillow decodes the run lengths of a BMP in Python, byte by byte: this many take half a second.
_MOST_RUN_LENGTHS: Final = 2_000_000

# ITU-T T.81, B.1.1. Within a scan 0xFF is followed by zero or by a restart marker.
_MARKER: Final = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_JPEG_START: Final = 0xD8
_JPEG_END: Final = 0xD9
_SCAN: Final = 0xDA
# By Huffman's codes, and by arithmetic ones. No decoder here reads hierarchical JPEGs.
_PROGRESSIVE: Final = (0xC2, 0xCA)


def check_segments(data: bytes) -> None:
    """Raise `ImageInvalid` for a JPEG of more segments or scans than one is made of.

    Args:
        data: the encoded picture, of any format.
    """
    if data.startswith(b"\xff\xd8") and _has_many_segments(data):
        raise _slow()


def check_tiles(picture: ImageFile, size: int) -> None:
    """Raise `ImageInvalid` where pixels come in too many pieces, or Python would decode too many.

    Args:
        picture: opened, not loaded.
        size: its bytes.
    """
    tiles = picture.tile
    run_lengths = any(tile.codec_name == "bmp_rle" for tile in tiles)
    if len(tiles) > _MOST_TILES or (
        run_lengths and picture.width * picture.height + size > _MOST_RUN_LENGTHS
    ):
        raise _slow()


def _has_many_segments(data: bytes) -> bool:
    place, segments, scans, progressive = 0, 0, 0, False
    while found := _MARKER.search(data, place):
        kind, place = found[1][0], found.end()
        if kind == _JPEG_START:
            continue
        if kind == _JPEG_END:
            break
        place += int.from_bytes(data[place : place + 2])
        segments += 1
        scans += kind == _SCAN
        progressive = progressive or kind in _PROGRESSIVE
        if segments > _MOST_SEGMENTS or scans > _MOST_SCANS:
            return True
        if scans and not progressive:
            # What follows is pixels, and each further scan of them has as many bytes.
            break
    return False


def _slow() -> ImageInvalid:
    return ImageInvalid(
        "The picture would take too long to decode; save it again as a plain JPEG or PNG."
    )
