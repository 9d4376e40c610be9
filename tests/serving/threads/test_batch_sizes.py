from __future__ import annotations

import pytest

from pawsight_serving.threads.batch_sizes import batches


@pytest.mark.parametrize(
    ("count", "sizes", "expected"),
    [
        (0, [1, 4], []),
        (3, [1, 4], [1, 1, 1]),
        (4, [1, 4], [4]),
        (9, [1, 4], [4, 4, 1]),
        (9, range(1, 7), [6, 3]),
        (2, [1], [1, 1]),
    ],
)
def test_every_picture_is_in_one_batch_of_a_size_that_may_be(
    count: int, sizes: list[int], expected: list[int]
) -> None:
    found = list(batches(count, sizes))
    assert [part.stop - part.start for part in found] == expected
    numbers = list(range(count))
    assert [each for part in found for each in numbers[part]] == numbers
