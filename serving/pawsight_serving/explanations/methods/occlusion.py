"""Occlusion (Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np

from pawsight_serving.explanations.methods.masking import BATCH, mean_colour, scores_of
from pawsight_serving.explanations.methods.options import Targets, refuse, refuse_layer
from pawsight_serving.explanations.methods.protocol import MethodResult
from pawsight_serving.explanations.results import INPUT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pawsight_serving.explanations.methods.protocol import Passes
    from pawsight_serving.explanations.queries import Query
    from pawsight_serving.repository.manifest import Manifest

NAME: Final = "occlusion"
# The picture is cut into so many cells a side, and the square that covers has so many of them.
CELLS: Final = 15
SQUARE: Final = 3
# Two passes over the same pixels may differ by so much; it is no evidence.
_ROUNDING: Final = 1e-5


@dataclass(frozen=True, slots=True)
class Occlusion:
    """How far a class's probability falls where a square covers the picture."""

    graph: str
    targets: Targets
    input_size: tuple[int, int]

    @property
    def values_per_picture(self) -> int:
        """A batch of covered pictures; a pixel has a quarter of a value's bytes."""
        height, width = self.input_size
        return BATCH * height * width * 3 // 4

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Maps of the cells that the picture is cut into."""
        return self.targets.shapes([(CELLS, CELLS)])

    @staticmethod
    def offered(manifest: Manifest) -> bool:  # noqa: ARG004
        """Return True: it needs predictions and nothing else."""
        return True

    @classmethod
    def ask(cls, manifest: Manifest, query: Query) -> Occlusion:
        """Check the options.

        Raises:
            LayerUnknown, TargetUnknown, OptionInvalid: an option does not fit.
        """
        refuse(query, NAME, "channels", "top", "samples", "seed")
        refuse_layer(query)
        return cls(manifest.name, Targets.of(manifest, query), manifest.input_size)

    async def explain(self, images: NDArray[np.uint8], passes: Passes) -> MethodResult:
        """Return maps of `CELLS` x `CELLS`; 169 passes of the hot graph a picture."""
        outputs = await passes.run(self.graph, images, ("probabilities",))
        probabilities = outputs["probabilities"]
        maps = []
        for image, whole in zip(images, probabilities, strict=True):
            falls = await self._falls(image, whole, passes)
            maps.append(self.targets.maps({INPUT: falls.__getitem__}, whole))
        return MethodResult(probabilities, maps)

    async def _falls(
        self, image: NDArray[np.uint8], whole: NDArray[np.float32], passes: Passes
    ) -> NDArray[np.float32]:
        """Return each class's mean fall over the squares that cover a cell, [classes, y, x]."""
        places = list(product(range(CELLS - SQUARE + 1), repeat=2))
        rows, columns = (
            np.linspace(0, side, CELLS + 1).round().astype(int) for side in image.shape[:2]
        )
        colour = mean_colour(image)

        def covered(start: int, stop: int) -> NDArray[np.uint8]:
            batch = np.repeat(image[np.newaxis], stop - start, axis=0)
            for picture, (y, x) in zip(batch, places[start:stop], strict=True):
                picture[rows[y] : rows[y + SQUARE], columns[x] : columns[x + SQUARE]] = colour
            return batch

        total = np.zeros((len(whole), CELLS, CELLS), np.float32)
        times = np.zeros((CELLS, CELLS), np.float32)
        async for which, scores in scores_of(self.graph, len(places), covered, passes):
            for (y, x), score in zip(places[which], scores, strict=True):
                total[:, y : y + SQUARE, x : x + SQUARE] += (whole - score)[:, None, None]
                times[y : y + SQUARE, x : x + SQUARE] += 1
        mean = total / times
        return np.where(mean > _ROUNDING, mean, np.float32(0))
