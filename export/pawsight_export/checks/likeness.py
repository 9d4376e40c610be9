"""How alike two maps are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOP_SHARE: Final = 0.2


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


def overlap(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return which share of the strongest fifth of one map is in the other's strongest fifth."""
    count = max(1, round(TOP_SHARE * one.size))
    strongest = [set(np.argsort(-each.ravel(), kind="stable")[:count]) for each in (one, other)]
    return len(strongest[0] & strongest[1]) / count


def rank_correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return Spearman's correlation of two maps of one shape; equal values share their rank."""
    return correlation(_ranks(one), _ranks(other))


def _ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    _, place, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[place]
    # A constant map has no order, so none that another's could agree with.
    return ranks if len(counts) > 1 else np.zeros(values.size)
