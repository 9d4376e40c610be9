"""Do maps point at the right animal, where a picture holds both?

Böhle, Fritz and Schiele, "Convolutional Dynamic Alignment Networks", 2021, section 4.2: pictures
of different classes are laid into a grid, and a class's evidence should lie on its own cells. No
boxes are needed, which these pictures lack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pawsight_export.explain_check.checked_model import CheckedModel

Figures = dict[str, float]


def make_grids(
    pictures: NDArray[np.uint8], labels: NDArray[np.int64], classes: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Lay four pictures, two of each class, into each grid; the classes on the diagonals.

    Args:
        pictures: uint8 [N, H, W, 3].
        labels: their classes.
        classes: the two that are laid together.

    Returns:
        The grids, uint8 [M, H, W, 3], and the class of each of their cells, [M, 2, 2].
    """
    first, second = (pictures[labels == each] for each in classes)
    count = min(len(first), len(second)) // 2
    height, width = pictures.shape[1:3]
    grids = np.zeros((count, height, width, 3), np.uint8)
    owners = np.zeros((count, 2, 2), np.int64)
    for number in range(count):
        ones, others = (list(each[2 * number : 2 * number + 2]) for each in (first, second))
        for y, x in np.ndindex(2, 2):
            mine = (x + y + number) % 2 == 0
            owners[number, y, x] = classes[0 if mine else 1]
            rows = slice(y * height // 2, (y + 1) * height // 2)
            columns = slice(x * width // 2, (x + 1) * width // 2)
            size = (columns.stop - columns.start, rows.stop - rows.start)
            small = Image.fromarray((ones if mine else others).pop())
            grids[number, rows, columns] = np.asarray(small.resize(size))
    return grids, owners


def measure_pointing(
    checked: CheckedModel, method: str, grids: NDArray[np.uint8], owners: NDArray[np.int64]
) -> Figures:
    """Return how much of the evidence lies on the class's own cells, and how often its peak does.

    Chance is one half of both. Maps without evidence point nowhere: they are left out, and
    their share is told.
    """
    maps = checked.maps(method, grids)
    height, width = grids.shape[1:3]
    shares, hits = [], []
    for of_classes, cells in zip(maps, owners, strict=True):
        whose = np.kron(cells, np.ones((height // 2 + 1, width // 2 + 1), np.int64))
        for target in np.unique(cells):
            heat = of_classes[target]
            if not heat.max() > 0:
                continue
            enlarged = np.asarray(
                Image.fromarray(heat).resize(whose.shape[::-1], Image.Resampling.BILINEAR)
            )
            own = whose == target
            shares.append(float(enlarged[own].sum() / enlarged.sum()))
            hits.append(bool(own.ravel()[enlarged.argmax()]))
    asked = 2 * len(grids)
    return {
        "evidence on its own": float(np.mean(shares)) if shares else 0.0,
        "peak on its own": float(np.mean(hits)) if hits else 0.0,
        "empty": 1 - len(shares) / asked if asked else 0.0,
    }
