"""Turns values into colours: matplotlib's perceptually even tables, applied by Pillow."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEAT: Final = "inferno"
ACTIVATION: Final = "viridis"


def load_colormaps() -> None:
    """Load matplotlib's tables, half a second that the first drawing then need not wait for."""
    _palette(HEAT)


def grey_levels(values: NDArray[np.float32], top: float) -> Image.Image:
    """Return values from 0 to `top` as grey levels, 0 to 255."""
    return Image.fromarray(np.clip(scaled(values, top), 0, 255).astype(np.uint8))


def scaled(values: NDArray[np.float32], top: float) -> NDArray[np.float32]:
    """Return values in units of grey levels, so that `top` is 255.

    They are divided first: 255 by the smallest numbers that float32 has is more than it holds.
    """
    levels: NDArray[np.float32] = values / np.float32(top) * np.float32(255)
    return levels


def colourise(levels: Image.Image, table: str) -> Image.Image:
    """Return grey levels in the colours of one of matplotlib's tables, RGB."""
    return _applied(_palette(table), levels).convert("RGB")


def colourise_over(levels: Image.Image, table: str, alpha: float) -> Image.Image:
    """Return grey levels in a table's colours to lay over a picture, RGBA.

    The higher a level, the more opaque: zero is clear, and the highest has the opacity `alpha`.
    """
    palette = _palette(table).copy()
    palette[:, 3] = np.rint(255 * alpha * np.linspace(0, 1, 256) ** 0.7)
    return _applied(palette, levels).convert("RGBA")


def _applied(palette: NDArray[np.uint8], levels: Image.Image) -> Image.Image:
    coloured = levels.copy()
    coloured.putpalette(palette.tobytes(), "RGBA")
    return coloured


@cache
def _palette(table: str) -> NDArray[np.uint8]:
    """Return a table's colours, uint8 RGBA [256, 4]."""
    import matplotlib as mpl

    colours: NDArray[np.uint8] = mpl.colormaps[table](np.arange(256), bytes=True)
    return colours
