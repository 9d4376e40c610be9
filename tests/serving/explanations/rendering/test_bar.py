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


def test_values_that_tower_over_the_ceiling_are_told() -> None:
    values = np.ones((20, 20), np.float32)
    values[0, 0] = 100
    towering, even = ClassMap(INPUT, "cat", values), ClassMap("conv1", "cat", values)
    assert (towering.ceiling, even.ceiling) == (1.0, 100.0)
    said = [bar(heat)[8:, 200:].astype(int).sum() for heat in (towering, even)]
    assert said[0] != said[1]
