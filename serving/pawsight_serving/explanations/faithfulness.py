"""Deletion and insertion: does the model itself depend on the pixels of a map?

Petsiuk, Das and Saenko, "RISE", 2018, section 4.2. Pixels are taken away, strongest first, and
the class's probability should fall soon: a small area under the curve is good. They are put into a
blurred picture, and it should rise soon: a large area is good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageFilter

from pawsight_serving.explanations.methods.masking import mean_colour, scores_of
from pawsight_serving.explanations.results import Curve, Faithfulness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pawsight_serving.explanations.methods.protocol import Passes
    from pawsight_serving.explanations.results import ClassMap

STEPS: Final = 20
# Of the picture's shorter side: as far as the paper's blur goes, 5 of 224 pixels.
_BLUR: Final = 5 / 224


async def measure_faithfulness(
    graph: str,
    image: NDArray[np.uint8],
    found: ClassMap,
    classes: Sequence[str],
    passes: Passes,
) -> Faithfulness:
    """Measure one map on the hot graph; 42 passes.

    Args:
        graph: the hot one.
        image: the picture in the model's size, uint8 [height, width, 3].
        found: a map with evidence.
        classes: the model's.
        passes: the request's.
    """
    ranks = strongest_first(found.values, image.shape[:2])
    blurred = np.asarray(
        Image.fromarray(image).filter(ImageFilter.GaussianBlur(_BLUR * min(image.shape[:2])))
    )
    empty = np.broadcast_to(mean_colour(image), image.shape)

    def pictures(start: int, stop: int) -> NDArray[np.uint8]:
        return np.stack([picture(number) for number in range(start, stop)])

    def picture(number: int) -> NDArray[np.uint8]:
        deleting, step = number <= STEPS, number % (STEPS + 1)
        touched = (ranks < round(step / STEPS * ranks.size))[..., np.newaxis]
        if deleting:
            return np.where(touched, empty, image)
        return np.where(touched, image, blurred)

    scores: list[float] = []
    index = classes.index(found.target)
    async for _, probabilities in scores_of(graph, 2 * (STEPS + 1), pictures, passes):
        scores += probabilities[:, index].tolist()
    return Faithfulness(Curve(tuple(scores[: STEPS + 1])), Curve(tuple(scores[STEPS + 1 :])))


def strongest_first(values: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.intp]:
    """Return each pixel's rank by the map, enlarged to (height, width) `size`; 0 is strongest."""
    height, width = size
    enlarged = Image.fromarray(np.ascontiguousarray(values, np.float32)).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    order = np.argsort(-np.asarray(enlarged).ravel(), kind="stable")
    ranks = np.empty(order.size, np.intp)
    ranks[order] = np.arange(order.size)
    return ranks.reshape(height, width)
