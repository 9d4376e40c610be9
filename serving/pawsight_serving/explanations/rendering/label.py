"""A line of text at the foot of a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from pawsight_serving.fonts import drawable, font_for

if TYPE_CHECKING:
    from PIL import ImageFont


def draw_label(picture: Image.Image, text: str) -> Image.Image:
    """Return the picture, untouched, above a strip with the text, as many lines as it takes."""
    size = max(10, min(24, picture.width // 25))
    text = drawable(text)
    font = font_for(text, size)
    lines = _lines(text, picture.width - size, font)
    labelled = Image.new("RGB", (picture.width, picture.height + round(1.4 * size * len(lines))))
    labelled.paste(picture, (0, 0))
    pen = ImageDraw.Draw(labelled)
    for number, line in enumerate(lines):
        middle = picture.height + round(1.4 * size * (number + 0.5))
        pen.text((picture.width // 2, middle), line, "white", font, anchor="mm")
    return labelled


def _lines(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    """Return a text in lines, broken between words, and within one that is wider than a line."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for character in word:
            if lines[-1] and font.getlength(lines[-1] + character) > width:
                lines.append("")
            lines[-1] += character
    return lines
