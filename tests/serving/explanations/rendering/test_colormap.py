from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

from pawsight_serving.explanations.colormap_names import COLORMAPS
from pawsight_serving.explanations.rendering.colormap import (
    colourise,
    colourise_over,
    grey_levels,
)


@pytest.mark.parametrize("table", COLORMAPS)
def test_colours_are_matplotlibs(table: str) -> None:
    values = np.linspace(0, 1, 256, dtype=np.float32)[None]
    coloured = np.asarray(colourise(grey_levels(values, 1.0), table))
    expected = mpl.colormaps[table](np.arange(256), bytes=True)[:, :3]
    assert np.abs(coloured[0].astype(int) - expected).max() <= 3


@pytest.mark.parametrize("table", COLORMAPS)
def test_more_is_always_lighter(table: str) -> None:
    ramp = grey_levels(np.linspace(0, 1, 256, dtype=np.float32)[None], 1.0)
    light = np.asarray(colourise(ramp, table).convert("L"))[0].astype(int)
    assert (np.diff(light) >= -1).all()
    assert light[-1] - light[0] > 150


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
def test_what_lies_over_a_picture_has_the_same_colours_the_more_opaque_the_higher(
    alpha: float,
) -> None:
    ramp = grey_levels(np.linspace(0, 1, 256, dtype=np.float32)[None], 1.0)
    over = np.asarray(colourise_over(ramp, "viridis", alpha))[0]
    assert np.array_equal(over[:, :3], np.asarray(colourise(ramp, "viridis"))[0])
    opacity = over[:, 3].astype(int)
    assert (opacity[0], opacity[-1]) == (0, round(255 * alpha))
    assert (np.diff(opacity) >= 0).all()


def test_levels_are_bounded() -> None:
    levels = np.asarray(grey_levels(np.array([[-1, 0, 1, 2, 3]], np.float32), 2.0))
    assert levels.tolist() == [[0, 0, 127, 255, 255]]


@pytest.mark.parametrize("top", [1e-44, 1e-30, 0.3, 1e38])
def test_levels_are_the_same_on_any_scale(top: float) -> None:
    levels = np.asarray(grey_levels(np.array([[0, top]], np.float32), float(np.float32(top))))
    assert levels.tolist() == [[0, 255]]
