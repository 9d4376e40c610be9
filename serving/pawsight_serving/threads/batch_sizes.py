"""In how many goes so many pictures are run, by a graph that should meet few sizes of batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def batches(count: int, sizes: Sequence[int]) -> Iterator[slice]:
    """Yield where each batch begins and ends, the largest first.

    Args:
        count: pictures to run.
        sizes: that a batch may have, in rising order; the first is 1.
    """
    start = 0
    while start < count:
        end = start + max(size for size in sizes if size <= count - start)
        yield slice(start, end)
        start = end
