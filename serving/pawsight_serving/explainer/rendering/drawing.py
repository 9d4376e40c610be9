"""Maps to the files that show them."""

from __future__ import annotations

import io
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from pawsight_serving.explainer.explanations import ActivationMaps, ClassMap
from pawsight_serving.explainer.rendering.colormap import ACTIVATION, HEAT
from pawsight_serving.explainer.rendering.grid import draw_grid
from pawsight_serving.explainer.rendering.overlay import draw_overlay
from pawsight_serving.explainer.rendering.png import encode_png
from pawsight_serving.explainer.rendering.sheet import GROUND, draw_sheet
from pawsight_serving.pictures import open_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pawsight_serving.explainer.explanations import Drawing, Explanation
    from pawsight_serving.pictures import PictureLimits
    from pawsight_serving.predictions import Prediction

# Fast rather than small: a drawing is looked at once, and its caller waits for it.
_WEBP: Final[dict[str, Any]] = {"quality": 85, "method": 1}


class Painter:
    """Draws the explanations of one picture.

    Args:
        picture: the encoded picture that they explain.
        drawing: what to draw, and how.
        limits: byte and pixel limits of the picture.
        max_side: pixels that an overlay's longer side may have; a larger picture is scaled.
    """

    def __init__(
        self, picture: bytes, drawing: Drawing, limits: PictureLimits, max_side: int
    ) -> None:
        self._picture = picture
        self._drawing = drawing
        self._limits = limits
        self._max_side = max_side

    def each(self, explanations: Sequence[Explanation]) -> list[bytes]:
        """Draw an overlay of each class map, a grid of each layer's activation maps.

        Raises:
            ImageMissing, ImageTooLarge, ImageInvalid: as `open_picture`.
        """
        return [self._file(self._draw(explanation)) for explanation in explanations]

    def sheet(
        self, explanations: Sequence[Explanation], heading: str, prediction: Prediction
    ) -> bytes:
        """Draw all explanations on one sheet.

        Raises:
            ImageMissing, ImageTooLarge, ImageInvalid: as `open_picture`.
        """
        maps = [each.maps for each in explanations if isinstance(each.maps, ClassMap)]
        if not maps:
            return self._file(_stack([self._draw(each) for each in explanations]))
        return self._file(
            draw_sheet(
                self._original,
                explanations,
                maps,
                heading,
                prediction,
                alpha=self._drawing.alpha,
                colormap=self._drawing.colormap or HEAT,
            )
        )

    def _draw(self, explanation: Explanation) -> Image.Image:
        maps = explanation.maps
        if isinstance(maps, ActivationMaps):
            return draw_grid(maps, colormap=self._drawing.colormap or ACTIVATION)
        return draw_overlay(
            self._original,
            maps,
            alpha=self._drawing.alpha,
            colormap=self._drawing.colormap or HEAT,
        )

    @cached_property
    def _original(self) -> Image.Image:
        side = self._max_side
        original = open_picture(self._picture, self._limits, at_least=(side, side))
        original.thumbnail((side, side))
        return original

    def _file(self, drawn: Image.Image) -> bytes:
        if self._drawing.format == "PNG":
            return encode_png(drawn)
        file = io.BytesIO()
        drawn.save(file, self._drawing.format, **_WEBP)
        return file.getvalue()


def _stack(drawn: Sequence[Image.Image]) -> Image.Image:
    stacked = Image.new(
        "RGB", (max(each.width for each in drawn), sum(each.height for each in drawn)), GROUND
    )
    top = 0
    for each in drawn:
        stacked.paste(each, (0, top))
        top += each.height
    return stacked
