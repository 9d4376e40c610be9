"""The scale of a map: its colours from zero to the ceiling, with the raw values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from pawsight_serving.explanations.rendering.colormap import colourise

if TYPE_CHECKING:
    from pawsight_serving.explanations.results import ClassMap

HEIGHT = 26
_BAND = 8


def draw_bar(heat: ClassMap, width: int, *, colormap: str, ground: str, ink: str) -> Image.Image:
    """Draw the colours in a band of that width, zero at its left and the ceiling at its right.

    Where single values tower over the ceiling, they share the last colour, and it says so.
    """
    bar = Image.new("RGB", (width, HEIGHT), ground)
    ramp = Image.linear_gradient("L").rotate(90).resize((width, _BAND))
    bar.paste(colourise(ramp, colormap), (0, 0))
    pen = ImageDraw.Draw(bar)
    font = ImageFont.load_default(11)
    more = "> " if heat.values.max() > heat.ceiling else ""
    pen.text((0, _BAND + 3), "0", ink, font)
    pen.text((width // 2, _BAND + 3), f"{heat.ceiling / 2:.2g}", ink, font, anchor="ma")
    pen.text((width - 1, _BAND + 3), f"{more}{heat.ceiling:.2g}", ink, font, anchor="ra")
    return bar
