"""A heat map laid over its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pawsight_serving.explanations.queries import ALPHA
from pawsight_serving.explanations.rendering.colormap import HEAT, colourise_over, scaled
from pawsight_serving.explanations.rendering.label import draw_label

if TYPE_CHECKING:
    from pawsight_serving.explanations.results import ClassMap


def draw_overlay(
    picture: Image.Image, heat: ClassMap, *, alpha: float = ALPHA, colormap: str = HEAT
) -> Image.Image:
    """Lay a map over the picture that it explains.

    The map is upsampled bicubically to the picture's size and coloured from zero to its own
    ceiling, the more opaque the stronger. A map without evidence leaves the picture as it is,
    and a label says so.

    Args:
        picture: RGB, upright.
        heat: the map.
        alpha: how opaque the strongest evidence is, 0 to 1.
        colormap: one of `colormap_names.COLORMAPS`.
    """
    if not heat.evidence:
        return draw_label(picture, f"no evidence for {heat.target} in {heat.layer}")
    return lay_over(picture, heat, alpha=alpha, colormap=colormap)


def lay_over(picture: Image.Image, heat: ClassMap, *, alpha: float, colormap: str) -> Image.Image:
    """Lay a map with evidence over its picture, in the picture's size."""
    # In grey levels before it is upsampled, while it is small.
    values = np.ascontiguousarray(scaled(heat.values, heat.ceiling), np.float32)
    upsampled = Image.fromarray(values).resize(picture.size, Image.Resampling.BICUBIC)
    # Bicubic values may pass either end; the conversion cuts them there.
    colours = colourise_over(upsampled.convert("L"), colormap, alpha)
    drawn = picture.copy()
    drawn.paste(colours, mask=colours)
    return drawn
