"""Many maps on one sheet."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw, ImageFont

from pawsight_serving.explanations.rendering.colormap import ACTIVATION, colourise, grey_levels

if TYPE_CHECKING:
    from pawsight_serving.explanations.results import ActivationMaps, ChannelMap

_CELL: Final = 128
_GAP: Final = 8
_CAPTION: Final = 32
_HEADING: Final = 30
_SHEET: Final = "#16161a"
_EMPTY: Final = "#26262c"
_TEXT: Final = "#e6e6ea"
_SOFT: Final = "#9a9aa4"


def draw_grid(maps: ActivationMaps, *, colormap: str = ACTIVATION) -> Image.Image:
    """Draw each channel's map in a cell with its number, in the order given.

    Each map is coloured from zero to its own maximum, which stands beside its number; below it are
    the mean and the share of zeros. A map of zeros is an empty cell: nothing is stretched to look
    like an answer.
    """
    columns = _columns(len(maps.channels))
    sheet = Image.new("RGB", grid_size(len(maps.channels)), _SHEET)
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP, _HEADING // 2 + 2), maps.layer, _TEXT, ImageFont.load_default(14), anchor="lm")
    font = ImageFont.load_default(11)
    for index, channel in enumerate(maps.channels):
        left = _GAP + (index % columns) * (_CELL + _GAP)
        top = _HEADING + (index // columns) * (_CELL + _CAPTION + _GAP)
        right, below = left + _CELL, top + _CELL + 2
        sheet.paste(_cell(channel, colormap), (left, top))
        said = f"max {channel.max:.3g}" if channel.max > 0 else "empty"
        pen.text((left, below), f"{channel.channel}", _TEXT, font)
        pen.text((right, below), said, _TEXT, font, anchor="ra")
        if channel.max > 0:
            pen.text((left, below + 14), f"mean {_short(channel.mean)}", _SOFT, font)
            # Rounded down: a map with a value above zero is not all zeros.
            share = f"{math.floor(100 * channel.zeros)}% zeros"
            pen.text((right, below + 14), share, _SOFT, font, anchor="ra")
    return sheet


def grid_size(channels: int) -> tuple[int, int]:
    """Return (width, height) of the grid of so many channels, in pixels."""
    columns = _columns(channels)
    rows = math.ceil(channels / columns)
    return columns * (_CELL + _GAP) + _GAP, _HEADING + rows * (_CELL + _CAPTION + _GAP) + _GAP


def _columns(channels: int) -> int:
    return math.ceil(math.sqrt(channels))


def _short(mean: float) -> str:
    """Return the mean in so few characters that the share of zeros has room beside it."""
    if mean >= 99.5:  # where `.2g` begins to write exponents
        return f"{mean:.0f}"
    return f"{mean:.2g}" if mean >= 0.001 else f"{mean:.1g}"


def _cell(channel: ChannelMap, colormap: str) -> Image.Image:
    if channel.max <= 0:
        return Image.new("RGB", (_CELL, _CELL), _EMPTY)
    map_ = colourise(grey_levels(channel.values, channel.max), colormap)
    larger = channel.values.shape[0] > _CELL
    how = Image.Resampling.BOX if larger else Image.Resampling.NEAREST
    return map_.resize((_CELL, _CELL), how)
