"""TIFFs of kinds that Pillow does not write."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LONG = 4


def tiff(
    width: int, bits: Sequence[int], strips: Sequence[bytes], tags: Mapping[int, int] | None = None
) -> bytes:
    """Return an uncompressed TIFF of one row.

    Args:
        width: of the row.
        bits: of each channel's values.
        strips: the pixels: one strip, or one a channel.
        tags: others, by their numbers; 262 says how values are meant, and is 1, zero is black,
            where it is left out.
    """
    values: dict[int, Sequence[int]] = {
        256: [width],
        257: [1],
        258: bits,
        259: [1],
        262: [1],
        277: [len(bits)],
        278: [1],
        **{tag: [value] for tag, value in (tags or {}).items()},
    }
    lists = 8 + 2 + 12 * (len(values) + 2) + 4
    n_longs = len(bits) + 2 * len(strips)
    starts = [lists + _LONG * n_longs + sum(map(len, strips[:i])) for i in range(len(strips))]
    values[273], values[279] = starts, [len(strip) for strip in strips]
    entries, outside = b"", b""
    for tag, listed in sorted(values.items()):
        packed = struct.pack(f"<{len(listed)}I", *listed)
        if len(listed) > 1:
            packed, outside = struct.pack("<I", lists + len(outside)), outside + packed
        entries += struct.pack("<HHI", tag, _LONG, len(listed)) + packed
    directory = struct.pack("<H", len(values)) + entries + bytes(4)
    return (
        b"II*\0"
        + struct.pack("<I", 8)
        + directory
        + outside.ljust(_LONG * n_longs, b"\0")
        + b"".join(strips)
    )


def deep_grey(bits: int, *, zero_is_white: bool) -> bytes:
    """Return two grey pixels: black, and a third of white."""
    levels = [0, 2**bits // 3]
    stored = [2**bits - 1 - level for level in levels] if zero_is_white else levels
    packed = struct.pack("<HH", *stored)
    if bits == 12:
        packed = ((stored[0] << 12) | stored[1]).to_bytes(3)
    return tiff(2, [bits], [packed], {262: 0 if zero_is_white else 1})
