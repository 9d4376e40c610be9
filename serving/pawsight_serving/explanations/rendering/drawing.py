"""Draws maps into PNG and WebP files."""

from __future__ import annotations

import io
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explanations.rendering.colormap import ACTIVATION, HEAT
from pawsight_serving.explanations.rendering.grid import draw_grid, grid_size
from pawsight_serving.explanations.rendering.overlay import draw_overlay
from pawsight_serving.explanations.rendering.png import encode_png
from pawsight_serving.explanations.rendering.sheet import GROUND, draw_sheet, most_pixels
from pawsight_serving.explanations.results import ActivationMaps, ClassMap
from pawsight_serving.pictures.reading import open_picture

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pawsight_serving.explanations.queries import Drawing
    from pawsight_serving.explanations.results import Explanation
    from pawsight_serving.pictures.reading import PictureLimits
    from pawsight_serving.predictions import Prediction

_RGB_BYTES: Final = 3
_ACTIVATION_DIMENSIONS: Final = 3
"""Of a layer's activation maps together; the map of a class has two."""
# Fast rather than small: a drawing is looked at once, and its caller waits for it.
_WEBP: Final[dict[str, Any]] = {"quality": 85, "method": 1}
_WEBP_SIDE: Final = 2**14 - 1


class Painter:
    """Draws the explanations of one picture, which is decoded once, when it is first needed.

    Threads may share a painter once it has opened the picture.

    Args:
        picture: the encoded picture that they explain.
        drawing: what to draw, and how.
        limits: byte and pixel limits of the picture.
        max_side: pixels that an overlay's longer side may have; a larger picture is scaled.
        check: is called before each map is drawn, and raises where it is no longer wanted.
    """

    def __init__(
        self,
        picture: bytes,
        drawing: Drawing,
        limits: PictureLimits,
        max_side: int,
        check: Callable[[], None],
    ) -> None:
        self._picture = picture
        self._drawing = drawing
        self._limits = limits
        self._max_side = max_side
        self._check = check

    def open(self, explanations: Sequence[Explanation]) -> None:
        """Decode the picture, where these explanations are drawn over it.

        Raises:
            ImageMissing, ImageTooLarge, ImageInvalid: as `open_picture`.
        """
        if any(isinstance(each.maps, ClassMap) for each in explanations):
            _ = self._original

    def each(self, explanations: Sequence[Explanation]) -> list[bytes]:
        """Draw an overlay of each class map, a grid of each layer's activation maps.

        Raises:
            ImageMissing, ImageTooLarge, ImageInvalid: as `open_picture`.
            OptionInvalid: a drawing is larger than its format takes.
        """
        return [self._file(self._draw(explanation)) for explanation in explanations]

    def sheet(
        self, explanations: Sequence[Explanation], heading: str, prediction: Prediction
    ) -> bytes:
        """Draw all explanations on one sheet.

        Raises:
            ImageMissing, ImageTooLarge, ImageInvalid: as `open_picture`.
            OptionInvalid: the sheet is larger than its format takes.
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
                check=self._check,
            )
        )

    def _draw(self, explanation: Explanation) -> Image.Image:
        self._check()
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
        # The opened picture itself keeps its decoder: of a WebP that is twice its pixels.
        return original.copy()

    def _file(self, drawn: Image.Image) -> bytes:
        if self._drawing.format == "PNG":
            return encode_png(drawn)
        if max(drawn.size) > _WEBP_SIDE:
            raise OptionInvalid(
                f"The drawing has {drawn.width}x{drawn.height} pixels, and WebP takes at most "
                f"{_WEBP_SIDE} a side; ask for PNG, or for fewer layers or channels."
            )
        file = io.BytesIO()
        drawn.save(file, self._drawing.format, **_WEBP)
        return file.getvalue()


def most_bytes(drawing: Drawing, shapes: Sequence[tuple[int, ...]], max_side: int) -> int:
    """Return how many bytes the files of one picture's drawings have at most.

    Of noise a file has about as many as its pixels, of all else it has fewer.

    Args:
        drawing: what to draw, and how.
        shapes: of the picture's explanations: [height, width] of a class map, [channels, height,
            width] of activation maps.
        max_side: pixels that an overlay's longer side may have.
    """
    grids = [grid_size(shape[0]) for shape in shapes if len(shape) == _ACTIVATION_DIMENSIONS]
    if grids and drawing.sheet:
        pixels = max(width for width, _ in grids) * sum(height for _, height in grids)
    elif grids:
        pixels = sum(width * height for width, height in grids)
    elif drawing.sheet:
        pixels = most_pixels(len(shapes))
    else:
        pixels = len(shapes) * max_side**2
    return pixels * _RGB_BYTES


def _stack(drawn: Sequence[Image.Image]) -> Image.Image:
    stacked = Image.new(
        "RGB", (max(each.width for each in drawn), sum(each.height for each in drawn)), GROUND
    )
    top = 0
    for each in drawn:
        stacked.paste(each, (0, top))
        top += each.height
    return stacked
