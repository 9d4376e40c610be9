from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pawsight_serving.explanations.rendering.overlay import draw_overlay
from pawsight_serving.explanations.results import ClassMap

GREY = Image.new("RGB", (60, 40), (128, 128, 128))


def heat(*rows: list[float]) -> ClassMap:
    return ClassMap("conv1", "cat", np.array(rows, np.float32))


def test_the_overlay_has_the_pictures_size_and_changes_where_the_evidence_is() -> None:
    drawn = draw_overlay(GREY, heat([0, 0, 0, 9], [0, 0, 0, 9]))
    assert drawn.size == GREY.size
    changed = np.abs(np.asarray(drawn).astype(int) - 128).sum(axis=2)
    assert changed[:, :20].max() == 0
    assert changed[:, 55:].min() > 60


def test_the_picture_shines_through_the_strongest_evidence() -> None:
    black, white = (
        np.asarray(draw_overlay(Image.new("RGB", (8, 8), colour), heat([5.0])))
        for colour in ("black", "white")
    )
    assert (white.astype(int) - black).min() >= 50


@pytest.mark.parametrize("scale", [1e-40, 1e-6])
def test_the_scale_of_the_map_does_not_change_the_drawing(scale: float) -> None:
    small, large = (draw_overlay(GREY, heat([0.0, k], [k / 2, 0.0])) for k in (scale, 1e6))
    assert np.abs(np.asarray(small).astype(int) - np.asarray(large)).max() <= 2


def test_without_evidence_the_picture_is_untouched_and_a_label_says_so() -> None:
    drawn = draw_overlay(GREY, heat([0.0, 0.0]))
    assert drawn.width == GREY.width
    assert drawn.height > GREY.height
    np.testing.assert_array_equal(np.asarray(drawn)[:40], np.asarray(GREY))
    assert np.asarray(drawn)[40:].max() > 200
