"""How alike two maps are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return Pearson's correlation of two maps of one shape.

    Two maps without any evidence agree, 1; one with and one without do not, 0.
    """
    a, b = one.ravel().astype(np.float64), other.ravel().astype(np.float64)
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    if scale > 0:
        return float((a * b).sum() / scale)
    return float(np.array_equal(one > 0, other > 0))


def rank_correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return Spearman's correlation of two maps of one shape; equal values share their rank."""
    return correlation(_ranks(one), _ranks(other))


def _ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    _, place, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[place]
    # Two constant maps have no order, so none that could agree.
    return ranks if len(counts) > 1 else np.zeros(values.size)
