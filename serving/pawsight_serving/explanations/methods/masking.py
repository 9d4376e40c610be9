"""Covers pixels that a model shall not see, and runs the covered pictures."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from numpy.typing import NDArray

    from pawsight_serving.explanations.methods.protocol import Passes

BATCH: Final = 32


def mean_colour(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture's mean colour, [3]: it adds nothing that was not there.

    The papers cover with grey, or with what their normalisation makes zero, which is black here.
    """
    mean: NDArray[np.float64] = image.mean(axis=(0, 1))
    return np.rint(mean).astype(np.uint8)


async def scores_of(
    graph: str,
    count: int,
    batch: Callable[[int, int], NDArray[np.uint8]],
    passes: Passes,
) -> AsyncIterator[tuple[slice, NDArray[np.float32]]]:
    """Run the graph on `count` pictures, a batch after another; yield which, and probabilities.

    Args:
        graph: the hot one.
        count: how many.
        batch: start and stop to the pictures; is called in a thread.
        passes: the request's.
    """
    for start in range(0, count, BATCH):
        stop = min(start + BATCH, count)
        images = await passes.work(partial(batch, start, stop))
        outputs = await passes.run(graph, images, ("probabilities",))
        del images  # before the next batch is made
        yield slice(start, stop), outputs["probabilities"]
