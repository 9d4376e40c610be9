"""A line of text at the foot of a picture."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont


def draw_label(picture: Image.Image, text: str) -> Image.Image:
    """Return the picture, untouched, above a strip with the text; the strip is as wide as it."""
    size = max(10, min(24, picture.width // 20))
    strip = Image.new("RGB", (picture.width, 2 * size), "black")
    pen = ImageDraw.Draw(strip)
    font = ImageFont.load_default(size)
    while size > 6 and pen.textlength(text, font) > picture.width - 8:
        size -= 1
        font = ImageFont.load_default(size)
    pen.text((picture.width // 2, strip.height // 2), text, "white", font, anchor="mm")
    labelled = Image.new("RGB", (picture.width, picture.height + strip.height))
    labelled.paste(picture, (0, 0))
    labelled.paste(strip, (0, picture.height))
    return labelled
