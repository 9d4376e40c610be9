"""Maps to the drawing that shows them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pawsight_serving.explainer.explanations import GradCamMap
from pawsight_serving.explainer.rendering.grid import draw_grid
from pawsight_serving.explainer.rendering.overlay import draw_overlay
from pawsight_serving.pictures import open_picture

if TYPE_CHECKING:
    from PIL import Image

    from pawsight_serving.explainer.explanations import Maps
    from pawsight_serving.pictures import PictureLimits


def draw_png(maps: Maps, picture: bytes, limits: PictureLimits, max_side: int) -> bytes:
    """Draw an overlay of a Grad-CAM map, or a grid of activation maps, as PNG.

    Args:
        maps: what to draw.
        picture: the encoded picture that they explain.
        limits: byte and pixel limits of the picture.
        max_side: pixels that an overlay's longer side may have; a larger picture is scaled.

    Raises:
        ImageMissing, ImageTooLarge, ImageInvalid: as `open_picture`.
    """
    if isinstance(maps, GradCamMap):
        return _png(draw_overlay(_original(picture, limits, max_side), maps))
    return _png(draw_grid(maps))


def _original(picture: bytes, limits: PictureLimits, max_side: int) -> Image.Image:
    original = open_picture(picture, limits, at_least=(max_side, max_side))
    original.thumbnail((max_side, max_side))
    return original


def _png(drawn: Image.Image) -> bytes:
    file = io.BytesIO()
    # Fast compression: a drawing is looked at once, and its caller waits for it.
    drawn.save(file, "PNG", compress_level=1)
    return file.getvalue()
