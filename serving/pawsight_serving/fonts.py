"""Fonts for what is drawn: classes are named in any script, and Pillow's own font has few letters.

Matplotlib brings one with the alphabets of Europe and the Near East; for others, the fonts of the
machine are searched. What none has is written by its number, such as U+732B: a box says nothing.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import ImageFont

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ASCII: Final = frozenset(map(chr, range(32, 127)))
_NO_CHARACTER: Final = "\U0010ffff"
_UPRIGHT: Final = ("normal", 400)
# Matplotlib's own, which has a box for each character there is.
_BOXES: Final = "LastResort"


def drawable(text: str) -> str:
    """Return a text that `font_for` has a font for: itself, or with numbers for what none has."""
    foreign = _foreign(text)
    if _has_default(foreign) or _other_font(foreign):
        return text
    common = _brought_along()
    return "".join(each if _has(common, each) else f"U+{ord(each):04X}" for each in text)


def font_for(text: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return a font, of that size in pixels, for a text that is `drawable`."""
    foreign = _foreign(text)
    path = None if _has_default(foreign) else _other_font(foreign)
    return ImageFont.load_default(size) if path is None else ImageFont.truetype(path, size)


def families(texts: Iterable[str]) -> list[str]:
    """Return the names of the fonts that matplotlib needs for texts that are `drawable`."""
    from matplotlib.ft2font import FT2Font

    paths = [_brought_along(), *filter(None, (_other_font(_foreign(text)) for text in texts))]
    return list(dict.fromkeys(FT2Font(path).family_name for path in paths))


def _foreign(text: str) -> frozenset[str]:
    return frozenset(text) - _ASCII


@lru_cache(maxsize=256)
def _other_font(foreign: frozenset[str]) -> str | None:
    """Return the file of a font that has these characters and ASCII's; None where none has."""
    return next((path for path in _paths() if _has(path, foreign | _ASCII)), None)


def _paths() -> Iterator[str]:
    yield _brought_along()
    # It looks for the fonts of the machine as it is imported.
    from matplotlib.font_manager import fontManager

    upright = sorted(fontManager.ttflist, key=lambda font: (font.style, font.weight) != _UPRIGHT)
    yield from dict.fromkeys(font.fname for font in upright if _BOXES not in font.fname)


def _brought_along() -> str:
    import matplotlib as mpl

    return str(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


@lru_cache(maxsize=256)
def _has(path: str, characters: str | frozenset[str]) -> bool:
    from matplotlib.ft2font import FT2Font

    try:
        known = FT2Font(path).get_charmap()
    except (OSError, RuntimeError):
        # A file that is no font after all.
        return False
    return all(ord(each) in known for each in characters)


@lru_cache(maxsize=256)
def _has_default(foreign: frozenset[str]) -> bool:
    """Return whether Pillow's own font has these characters; it does not say which it has."""
    return _box() not in {_shape(each) for each in foreign}


@cache
def _box() -> bytes:
    return _shape(_NO_CHARACTER)


def _shape(character: str) -> bytes:
    return bytes(ImageFont.load_default(20).getmask(character))
