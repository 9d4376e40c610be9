"""PNG, written for a caller who waits.

Pillow tries all five filters on every row, and compresses with zlib. Here every row has the same
filter, what it differs from the one above by, and igzip of Intel's ISA-L compresses: of a
photograph with colours over it the file is a twentieth larger, and made in a fifth of the time.
PNG Specification (Third Edition), 9.2 Filter types; why here, see ADR 20.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np
from isal import isal_zlib

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_DEPTH: Final = 8
_RGB: Final = 2
_UP: Final = 2
_LEVEL: Final = 1
_BAND: Final = 256


def encode_png(picture: Image.Image) -> bytes:
    """Return an RGB picture as a PNG file, each pixel as it is."""
    pixels = np.asarray(picture, np.uint8)
    height, width, _ = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, _DEPTH, _RGB, 0, 0, 0)
    deflate = isal_zlib.compressobj(_LEVEL)
    rows = pixels.reshape(height, -1)
    above = np.zeros_like(rows[0])
    data = []
    # In bands: of a large sheet the filter would hold its pixels once more.
    for top in range(0, height, _BAND):
        band = rows[top : top + _BAND]
        data.append(deflate.compress(_filtered(band, above)))
        above = band[-1]
    data.append(deflate.flush())
    idat = _chunk(b"IDAT", b"".join(data))
    return b"".join((_SIGNATURE, _chunk(b"IHDR", header), idat, _chunk(b"IEND", b"")))


def _filtered(rows: NDArray[np.uint8], above: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return each row behind its filter's number: what it differs from the one above by.

    Args:
        rows: uint8 [height, 3 x width].
        above: the row before the first one, [3 x width].
    """
    filtered = np.empty((rows.shape[0], 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = _UP
    # Modulo 256, as the specification wants it.
    np.subtract(rows[0], above, out=filtered[0, 1:])
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return filtered


def _chunk(name: bytes, data: bytes) -> bytes:
    crc = isal_zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)
