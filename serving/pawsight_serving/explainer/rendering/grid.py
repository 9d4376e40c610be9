"""Many maps on one sheet."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw, ImageFont

from pawsight_serving.explainer.rendering.colour import ACTIVATION, colourise, grey_levels

if TYPE_CHECKING:
    from pawsight_serving.explainer.explanations import ActivationMaps, ChannelMap

_CELL: Final = 128
_GAP: Final = 8
_CAPTION: Final = 18
_SHEET: Final = "#16161a"
_EMPTY: Final = "#26262c"
_TEXT: Final = "#e6e6ea"


def draw_grid(maps: ActivationMaps) -> Image.Image:
    """Draw each channel's map in a cell with its number, in the order given.

    Each map is coloured from zero to its own maximum, which stands beside its number. A map of
    zeros is an empty cell: nothing is stretched to look like an answer.
    """
    columns = math.ceil(math.sqrt(len(maps.channels)))
    rows = math.ceil(len(maps.channels) / columns)
    width = columns * (_CELL + _GAP) + _GAP
    height = rows * (_CELL + _CAPTION + _GAP) + _GAP
    sheet = Image.new("RGB", (width, height), _SHEET)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(11)
    for index, channel in enumerate(maps.channels):
        left = _GAP + (index % columns) * (_CELL + _GAP)
        top = _GAP + (index // columns) * (_CELL + _CAPTION + _GAP)
        strongest = float(channel.values.max())
        sheet.paste(_cell(channel, strongest), (left, top))
        said = f"max {strongest:.3g}" if strongest > 0 else "empty"
        pen.text((left, top + _CELL + 2), f"{channel.channel}", _TEXT, font)
        pen.text((left + _CELL, top + _CELL + 2), said, _TEXT, font, anchor="ra")
    return sheet


def _cell(channel: ChannelMap, strongest: float) -> Image.Image:
    if strongest <= 0:
        return Image.new("RGB", (_CELL, _CELL), _EMPTY)
    map_ = colourise(grey_levels(channel.values, strongest), ACTIVATION)
    return map_.resize((_CELL, _CELL), Image.Resampling.BOX)
