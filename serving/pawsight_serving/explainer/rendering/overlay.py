"""A heat map laid over its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from pawsight_serving.explainer.rendering.colour import HEAT, colourise, grey_levels
from pawsight_serving.explainer.rendering.label import draw_label

if TYPE_CHECKING:
    from pawsight_serving.explainer.explanations import GradCamMap

# The strongest evidence still lets a quarter of the picture through.
_STRONGEST_ALPHA: Final = 0.75
_ALPHA: Final = [round(255 * _STRONGEST_ALPHA * (level / 255) ** 0.7) for level in range(256)]


def draw_overlay(picture: Image.Image, heat: GradCamMap) -> Image.Image:
    """Lay a map over the picture that it explains.

    The map is upsampled bicubically to the picture's size and coloured from zero to its own
    maximum, the more opaque the stronger. A map without evidence leaves the picture as it is,
    and a label says so.

    Args:
        picture: RGB, upright.
        heat: the map.
    """
    if not heat.evidence:
        return draw_label(picture, f"no evidence for {heat.target} in {heat.layer}")
    values = np.ascontiguousarray(heat.values, dtype=np.float32)
    upsampled = Image.fromarray(values).resize(picture.size, Image.Resampling.BICUBIC)
    levels = grey_levels(np.asarray(upsampled), float(values.max()))
    return Image.composite(colourise(levels, HEAT), picture, levels.point(_ALPHA))
