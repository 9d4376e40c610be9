"""Whether all frames of a TIFF are there, by its directories alone: no frame is decoded.

TIFF 6.0, section 2; BigTIFF is the same with counts and places of 8 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# By a file's first bytes: the order of a number's bytes, how many a place has, and how many the
# number of a directory's entries has.
_FORMS: Final = {
    b"II*\0": ("<", 4, 2),
    b"MM\0*": (">", 4, 2),
    b"II+\0": ("<", 8, 8),
    b"MM\0+": (">", 8, 8),
}
_SHORT, _LONG, _LONG8 = 3, 4, 16
_SIZES: Final = np.zeros(2**16)
_SIZES[1:19] = (1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
"""Bytes of a value, by its type; 0 where there is no such type."""
# Where the pieces of a frame are, and how many bytes each has: of strips and of tiles.
_PIECES: Final = ((273, 279), (324, 325))
# So many frames are looked at: whoever sends more must not hold a thread up.
_MOST_FRAMES: Final = 1000


def frames_end(data: bytes) -> bool:
    """Return whether the frames after the first lie whole in the file; the decoder needs the first.

    A file of another kind has none that could be missing.

    Args:
        data: the encoded picture; more may follow its end.
    """
    if data[:4] not in _FORMS:
        return True
    file = _File(data, *_FORMS[data[:4]])
    # Frames share no bytes: where more were looked at than there are, the file is nonsense.
    looked_at = 0
    try:
        place = file.number(file.wide, file.wide)
        for frame in range(_MOST_FRAMES):
            if not place or looked_at > len(data):
                break
            entries, place = file.directory(place)
            looked_at += entries.nbytes
            if frame:
                file.check_values(entries)
                for tags in _PIECES:
                    starts, sizes = (file.numbers(entries, tag) for tag in tags)
                    looked_at += starts.nbytes + sizes.nbytes
                    file.check(starts, sizes)
    except EOFError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _File:
    """A TIFF's bytes; each read raises `EOFError` where they are not there."""

    data: bytes
    order: str
    wide: int
    count_bytes: int

    def number(self, at: int, size: int) -> int:
        return int(self._read(self._unsigned(size), at, 1)[0])

    def directory(self, at: int) -> tuple[NDArray[Any], int]:
        """Return a directory's entries, and the place of the next one."""
        place = self._unsigned(self.wide)
        short = self._unsigned(2)
        entry = np.dtype(
            [("tag", short), ("type", short), ("count", place), ("value", f"V{self.wide}")]
        )
        entries = self._read(entry, at + self.count_bytes, self.number(at, self.count_bytes))
        return entries, self.number(at + self.count_bytes + entries.nbytes, self.wide)

    def numbers(self, entries: NDArray[Any], tag: int) -> NDArray[Any]:
        """Return the values of an entry; none where it is not there or holds no whole numbers."""
        for entry in entries[entries["tag"] == tag]:
            if entry["type"] in {_SHORT, _LONG, _LONG8}:
                kind = self._unsigned(int(_SIZES[entry["type"]]))
                if kind.itemsize * int(entry["count"]) <= self.wide:
                    return np.frombuffer(entry["value"].tobytes(), kind, entry["count"])
                (start,) = np.frombuffer(entry["value"].tobytes(), self._unsigned(self.wide))
                return self._read(kind, int(start), int(entry["count"]))
        return np.empty(0)

    def check_values(self, entries: NDArray[Any]) -> None:
        """Check the values that are too long to stand in their entries."""
        sizes = _SIZES[entries["type"]] * entries["count"]
        starts = np.ascontiguousarray(entries["value"]).view(self._unsigned(self.wide))
        self.check(starts[sizes > self.wide], sizes[sizes > self.wide])

    def check(self, starts: NDArray[Any], sizes: NDArray[Any]) -> None:
        """Check that pieces are there; where there are more of one than of the other, those."""
        pieces = min(len(starts), len(sizes))
        # Among floats, which no sum overflows.
        ends = starts[:pieces].astype(float) + sizes[:pieces]
        if np.max(ends, initial=0) > len(self.data):
            raise EOFError

    def _unsigned(self, size: int) -> np.dtype[Any]:
        return np.dtype(f"{self.order}u{size}")

    def _read(self, kind: np.dtype[Any], at: int, count: int) -> NDArray[Any]:
        if at + count * kind.itemsize > len(self.data):
            raise EOFError
        return np.frombuffer(self.data, kind, count, at)
