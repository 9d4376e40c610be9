"""One sheet for a picture: the prediction, the maps, and the scales of their values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw

from pawsight_serving.explanations.rendering import bar
from pawsight_serving.explanations.rendering.colormap import colourise, grey_levels
from pawsight_serving.explanations.rendering.overlay import lay_over
from pawsight_serving.fonts import drawable, font_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PIL import ImageFont

    from pawsight_serving.explanations.results import ClassMap, Explanation
    from pawsight_serving.predictions import Prediction

GROUND: Final = "#16161a"
INK: Final = "#f0f0f4"
SOFT: Final = "#a4a4ae"
_EMPTY: Final = "#26262c"
_GAP: Final = 14
_CAPTION: Final = 22
_HEADING: Final = 40
_LARGE: Final = 360
_SMALL: Final = 220
# Of a tall picture: what a caption and the figures of a scale take.
_NARROWEST: Final = 150
_FONT: Final = 13
_HEADING_FONT: Final = 15
_SMALLEST_FONT: Final = 8
# Of more maps than these, a row would not fit a page.
_COLUMNS: Final = 4
_FEW_LAYERS: Final = 5


def draw_sheet(
    picture: Image.Image,
    explanations: Sequence[Explanation],
    maps: Sequence[ClassMap],
    heading: str,
    prediction: Prediction,
    *,
    alpha: float,
    colormap: str,
    check: Callable[[], None],
) -> Image.Image:
    """Draw picture, map and overlay side by side; of several maps the picture and each overlay.

    Every map has its own colour bar in raw scale. One without evidence is an empty cell.

    Args:
        picture: RGB, upright.
        explanations: of this picture.
        maps: theirs.
        heading: which model and method.
        prediction: of the same pass.
        alpha: how opaque the strongest evidence covers the picture.
        colormap: one of `colormap_names.COLORMAPS`.
        check: is called before each map, and raises where the sheet is no longer wanted.
    """
    alone = len(maps) == 1
    seen = _sized(picture, _LARGE if alone else _SMALL)
    cells = [_Cell(seen, f"{prediction.label} {prediction.score:.1%}")]
    for explanation, found in zip(explanations, maps, strict=True):
        check()
        scale_bar = None
        if found.evidence:
            width = max(seen.width, _NARROWEST)
            scale_bar = bar.draw_bar(found, width, colormap=colormap, ground=GROUND, ink=SOFT)
            over = lay_over(seen, found, alpha=alpha, colormap=colormap)
        else:
            over = _empty(seen.size)
        if alone:
            bare = _bare(found, seen.size, colormap) if found.evidence else over
            cells.append(_Cell(bare, f"{found.layer}, {_size(found)}", scale_bar))
        cells.append(_Cell(over, _caption(explanation, found, alone=alone), scale_bar))
    columns = _columns(maps)
    n_targets = len({found.target for found in maps})
    if 1 < n_targets < len(maps) and columns % n_targets == 0:
        # Each layer's maps stand side by side, each class has its column.
        cells[1:1] = [_Cell(Image.new("RGB", seen.size, GROUND), "")] * (columns - 1)
    return _lay_out(cells, heading, columns)


def most_pixels(maps: int) -> int:
    """Return how many pixels a sheet of so many maps has at most."""
    side = _LARGE if maps == 1 else _SMALL
    # Each with a share of the margins and of the heading, however few there are.
    width, height = side + 2 * _GAP, _HEADING + side + _CAPTION + bar.HEIGHT + _GAP
    # Beside the maps the picture itself, and empty cells in its row and in the last one.
    return (maps + 1 + 2 * (_COLUMNS - 1)) * width * height


class _Cell:
    def __init__(self, image: Image.Image, caption: str, scale: Image.Image | None = None) -> None:
        self.image = image
        self.caption = drawable(caption)
        self.scale = scale


def _sized(picture: Image.Image, side: int) -> Image.Image:
    """Return the picture, larger or smaller, with its longer side of so many pixels."""
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def _caption(explanation: Explanation, found: ClassMap, *, alone: bool) -> str:
    target = found.target
    if explanation.probability is not None:
        target += f" {explanation.probability:.1%}"
    if not found.evidence:
        return f"no evidence for {target}" if alone else f"{found.layer}: none for {target}"
    return f"evidence for {target}" if alone else f"{found.layer}: {target}"


def _size(found: ClassMap) -> str:
    height, width = found.values.shape
    return f"{height} x {width}"


def _bare(found: ClassMap, size: tuple[int, int], colormap: str) -> Image.Image:
    """Return the map alone, its own cells to be seen."""
    levels = grey_levels(np.ascontiguousarray(found.values, np.float32), found.ceiling)
    fewer = found.values.shape[1] < size[0]
    how = Image.Resampling.NEAREST if fewer else Image.Resampling.BOX
    return colourise(levels, colormap).resize(size, how)


def _empty(size: tuple[int, int]) -> Image.Image:
    """Return the cell of a map without evidence, which says so itself where it has the room."""
    cell = Image.new("RGB", size, _EMPTY)
    text = "no evidence"
    fitted, font = _fitted(text, size[0])
    if fitted == text and font.getbbox(text)[3] <= size[1]:
        middle = (size[0] // 2, size[1] // 2)
        ImageDraw.Draw(cell).text(middle, text, SOFT, font, anchor="mm")
    return cell


def _columns(maps: Sequence[ClassMap]) -> int:
    if len(maps) == 1:
        return 3
    n_targets = len({found.target for found in maps})
    n_layers = len(maps) // n_targets
    if 1 < n_targets <= _COLUMNS and n_layers > 1:
        # As many layers side by side as fit a page, where there are many.
        return n_targets if n_layers <= _FEW_LAYERS else n_targets * max(1, _COLUMNS // n_targets)
    return min(_COLUMNS, len(maps) + 1 if len(maps) < _COLUMNS else math.ceil(len(maps) ** 0.5))


def _fitted(
    text: str, width: int, size: int = _FONT
) -> tuple[str, ImageFont.FreeTypeFont | ImageFont.ImageFont]:
    """Return a text, and the largest font up to that size in which it is no wider than its cell.

    Of one that is too long in the smallest, the middle is left out: its ends hold the layer and
    the probability.
    """
    while (font := font_for(text, size)).getlength(text) > width and size > _SMALLEST_FONT:
        size -= 1
    fitted, kept = text, len(text)
    while font.getlength(fitted) > width and kept:
        kept -= 1
        fitted = f"{text[: kept - kept // 2]}...{text[len(text) - kept // 2 :]}"
    return fitted, font


def _lay_out(cells: Sequence[_Cell], heading: str, columns: int) -> Image.Image:
    width, height = max(cells[0].image.width, _NARROWEST), cells[0].image.height
    scaled = any(cell.scale for cell in cells)
    step_x, step_y = width + _GAP, height + _CAPTION + (bar.HEIGHT if scaled else 0) + _GAP
    rows = math.ceil(len(cells) / columns)
    sheet = Image.new("RGB", (columns * step_x + _GAP, _HEADING + rows * step_y), GROUND)
    pen = ImageDraw.Draw(sheet)
    heading, font = _fitted(drawable(heading), sheet.width - 2 * _GAP, _HEADING_FONT)
    pen.text((_GAP, _HEADING // 2), heading, INK, font, anchor="lm")
    for number, cell in enumerate(cells):
        left = _GAP + number % columns * step_x
        top = _HEADING + number // columns * step_y
        sheet.paste(cell.image, (left, top))
        caption, font = _fitted(cell.caption, width)
        pen.text((left, top + height + 4), caption, INK, font)
        if cell.scale is not None:
            sheet.paste(cell.scale, (left, top + height + _CAPTION))
    return sheet
