"""RISE (Petsiuk, Das and Saenko, "Randomized Input Sampling for Explanation", 2018)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from pawsight_serving.explanations.methods.masking import BATCH, mean_colour, scores_of
from pawsight_serving.explanations.methods.options import (
    Targets,
    refuse,
    refuse_layer,
    samples_of,
)
from pawsight_serving.explanations.methods.protocol import MethodResult
from pawsight_serving.explanations.results import INPUT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pawsight_serving.explanations.methods.protocol import Passes
    from pawsight_serving.explanations.queries import Query
    from pawsight_serving.repository.manifest import Manifest

NAME: Final = "rise"
SAMPLES: Final = 512
_MOST_SAMPLES: Final = 8192
# As in the paper: masks of 7x7 cells, each cell open with this probability.
CELLS: Final = 7
OPEN: Final = 0.5
# A map whose peak chance alone could have made is no evidence.
_STANDARD_ERRORS: Final = 4.0
_ROUNDING: Final = 1e-5


@dataclass(frozen=True, slots=True)
class Rise:
    """How much more probable a class is where a pixel is seen, over random masks."""

    graph: str
    targets: Targets
    samples: int
    seed: int
    input_size: tuple[int, int]

    @property
    def values_per_picture(self) -> int:
        """A batch of masks, of masked pictures before and after rounding, and the sums."""
        height, width = self.input_size
        return height * width * (BATCH * 5 + 4)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Maps in the input's size."""
        return self.targets.shapes([self.input_size])

    @staticmethod
    def offered(manifest: Manifest) -> bool:  # noqa: ARG004
        """Return True: it needs predictions and nothing else."""
        return True

    @classmethod
    def ask(cls, manifest: Manifest, query: Query) -> Rise:
        """Check the options.

        Raises:
            LayerUnknown, TargetUnknown, OptionInvalid: an option does not fit.
        """
        refuse(query, NAME, "channels", "top")
        refuse_layer(query)
        return cls(
            manifest.name,
            Targets.of(manifest, query),
            samples_of(query, SAMPLES, _MOST_SAMPLES),
            query.seed,
            manifest.input_size,
        )

    async def explain(self, images: NDArray[np.uint8], passes: Passes) -> MethodResult:
        """Return maps in the input's size; `samples` passes of the hot graph a picture."""
        outputs = await passes.run(self.graph, images, ("probabilities",))
        probabilities = outputs["probabilities"]
        maps = []
        for image, of_picture in zip(images, probabilities, strict=True):
            gains = await self._gains(image, passes)
            maps.append(self.targets.maps({INPUT: gains.__getitem__}, of_picture))
        return MethodResult(probabilities, maps)

    async def _gains(self, image: NDArray[np.uint8], passes: Passes) -> NDArray[np.float32]:
        """Return, for each class and pixel, the paper's map less the mean over all masks.

        The paper's equation 6 estimates the expected score given that a pixel is seen; the mean
        score is taken away, as the expected score of a picture is no evidence of any place.
        """
        chance = np.random.default_rng(self.seed)
        colour = mean_colour(image).astype(np.float32)
        masks = np.empty(0, np.float32)

        def masked(start: int, stop: int) -> NDArray[np.uint8]:
            nonlocal masks
            masks = random_masks(stop - start, self.input_size, chance)
            return covered(image, colour, masks)

        n_classes = len(self.targets.classes)
        seen = np.zeros((n_classes, *self.input_size))
        open_sum = np.zeros(self.input_size)
        total, squares = np.zeros(n_classes), np.zeros(n_classes)
        async for _, scores in scores_of(self.graph, self.samples, masked, passes):
            seen += np.tensordot(scores, masks, axes=(0, 0))
            open_sum += masks.sum(axis=0)
            total += scores.sum(axis=0)
            squares += np.square(scores, dtype=np.float64).sum(axis=0)
        mean = total / self.samples
        gains = (seen - mean[:, None, None] * open_sum) / (self.samples * OPEN)
        by_chance = np.sqrt(np.maximum(squares / self.samples - mean**2, 0) / self.samples)
        found = gains.max(axis=(1, 2)) > np.maximum(_STANDARD_ERRORS * by_chance, _ROUNDING)
        evidence: NDArray[np.float64] = np.maximum(gains, 0) * found[:, None, None]
        return evidence.astype(np.float32)


def covered(
    image: NDArray[np.uint8], colour: NDArray[np.float32], masks: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Return the picture where masks are one and the colour where they are zero, one per mask."""
    seen: NDArray[np.float32] = (image - colour) * masks[..., np.newaxis]
    # In place: a copy of a batch is three times as large as its masks.
    seen += colour
    return np.rint(seen, out=seen).astype(np.uint8)


def random_masks(
    count: int, size: tuple[int, int], chance: np.random.Generator
) -> NDArray[np.float32]:
    """Return masks 0 to 1, [count, height, width]: coarse grids, smoothly enlarged and shifted."""
    cell_height, cell_width = (math.ceil(side / CELLS) for side in size)
    enlarged = ((CELLS + 1) * cell_width, (CELLS + 1) * cell_height)
    masks = np.empty((count, *size), np.float32)
    for mask in masks:
        grid = (chance.random((CELLS, CELLS)) < OPEN).astype(np.float32)
        y, x = int(chance.integers(cell_height)), int(chance.integers(cell_width))
        smooth = Image.fromarray(grid).resize(enlarged, Image.Resampling.BILINEAR)
        mask[:] = np.asarray(smooth)[y : y + size[0], x : x + size[1]]
    return masks
