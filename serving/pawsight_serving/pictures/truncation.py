"""Whether the end of an encoded picture is there, where its decoder would not miss it.

JPEG, WebP and TIFF of one frame fail to decode without their last bytes. The decoders of the
formats here stop reading once they have the pixels of the first frame.

What follows the end of a JPEG is none of it, further pictures included. A phone's header names
them (MPO), and still does where an editor has dropped them: then nothing is missing.
"""

from __future__ import annotations

import struct
from typing import Final

from pawsight_serving.pictures.tiff_frames import frames_end

_PNG_END: Final = b"IEND\xaeB`\x82"

_GIF_HEADER_BYTES: Final = 13
_GIF_EXTENSION: Final = 0x21
_GIF_IMAGE: Final = 0x2C
_GIF_TRAILER: Final = 0x3B

_BMP_PIXELS_AT: Final = 10
_BMP_OLD_HEADER_BYTES: Final = 12
_BMP_UNCOMPRESSED: Final = (0, 3, 6)


def is_whole(data: bytes, kind: str) -> bool:
    """Return whether a picture's end is there; of formats that need no such look, True.

    Args:
        data: the encoded picture; more may follow its end.
        kind: its format, in Pillow's names.
    """
    match kind:
        case "PNG":
            return data.rfind(_PNG_END) >= 0
        case "GIF":
            return _gif_ends(data)
        case "BMP":
            return len(data) >= _bmp_bytes(data)
        case "TIFF":
            return frames_end(data)
        case _:
            return True


def _gif_ends(data: bytes) -> bool:
    """Walk from block to block, to the trailer."""
    try:
        place = _GIF_HEADER_BYTES + _colour_table_bytes(data[10])
        while data[place] != _GIF_TRAILER:
            if data[place] == _GIF_EXTENSION:
                place += 2
            elif data[place] == _GIF_IMAGE:
                place += 11 + _colour_table_bytes(data[place + 9])
            else:
                return False
            while length := data[place]:
                place += 1 + length
            place += 1
    except IndexError:
        return False
    return True


def _colour_table_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _bmp_bytes(data: bytes) -> int:
    """Return how many bytes an uncompressed BMP has by its header, padding of rows included."""
    (start, header) = struct.unpack_from("<II", data, _BMP_PIXELS_AT)
    if header == _BMP_OLD_HEADER_BYTES:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
        if compression not in _BMP_UNCOMPRESSED:
            return 0
    row = (width * bits + 31) // 32 * 4
    return int(start + row * abs(height))
