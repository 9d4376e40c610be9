from __future__ import annotations

import matplotlib as mpl
import numpy as np

from pawsight_serving.explanations.rendering.bar import draw_bar
from pawsight_serving.explanations.results import INPUT, ClassMap


def bar(heat: ClassMap) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    drawn = draw_bar(heat, 256, colormap="inferno", ground="black", ink="white")
    return np.asarray(drawn)


def test_the_band_runs_from_the_first_colour_to_the_last() -> None:
    band = bar(ClassMap("conv1", "cat", np.eye(3, dtype=np.float32)))[0].astype(int)
    for place, colour in ((0, 0.0), (255, 1.0)):
        expected = np.array(mpl.colormaps["inferno"](colour, bytes=True)[:3], int)
        assert np.abs(band[place] - expected).max() <= 4


def test_zero_half_the_ceiling_and_the_ceiling_are_written_below() -> None:
    below = bar(ClassMap("conv1", "cat", np.eye(3, dtype=np.float32)))[8:].max(axis=(0, 2))
    for part in (below[:64], below[96:160], below[192:]):
        assert part.max() > 200
    assert max(below[64:96].max(), below[160:192].max()) == 0


def test_values_that_tower_over_the_ceiling_are_told() -> None:
    even = np.ones((20, 20), np.float32)
    towering = even.copy()
    towering[0, 0] = 100
    one, over = (ClassMap(INPUT, "cat", values) for values in (even, towering))
    assert one.ceiling == over.ceiling == 1.0
    assert not np.array_equal(bar(one), bar(over)), "> 1 is not 1"
    at_most = ClassMap("conv1", "cat", even)
    np.testing.assert_array_equal(bar(one), bar(at_most))


def test_a_ceiling_is_said_to_be_one_where_values_tower_over_it(written: list[str]) -> None:
    values = np.ones((20, 20), np.float32)
    bar(ClassMap(INPUT, "cat", values))
    values[0, 0] = 100
    bar(ClassMap(INPUT, "cat", values))
    assert written == ["0", "0.5", "1", "0", "0.5", "> 1"]
