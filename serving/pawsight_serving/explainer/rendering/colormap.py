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
    """Load matplotlib's tables, which takes half a second: else the first drawing waits for it."""
    _palette(HEAT)


def grey_levels(values: NDArray[np.float32], top: float) -> Image.Image:
    """Return values from 0 to `top` as grey levels, 0 to 255."""
    return Image.fromarray(np.clip(values * (255.0 / top), 0, 255).astype(np.uint8))


def colourise(levels: Image.Image, table: str) -> Image.Image:
    """Return grey levels in the colours of one of matplotlib's tables, RGB."""
    coloured = levels.copy()
    coloured.putpalette(_palette(table))
    return coloured.convert("RGB")


@cache
def _palette(table: str) -> bytes:
    import matplotlib as mpl

    colormap = mpl.colormaps[table](np.arange(256), bytes=True)
    return bytes(colormap[:, :3].tobytes())
