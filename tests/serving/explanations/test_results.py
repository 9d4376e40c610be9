from __future__ import annotations

import numpy as np
import pytest

from pawsight_serving.explanations.results import ActivationMaps, ChannelMap, ClassMap

ZERO, ONE = np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32)


def test_drawings_run_up_to_the_highest_value_unless_it_towers() -> None:
    values = np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20)
    assert ClassMap("input", "cat", values).ceiling == 1.0
    values[19, 19] = 50
    assert ClassMap("input", "cat", values).ceiling < 1.0
    assert ClassMap("conv1", "cat", values).ceiling == 50


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_what_towers_does_so_on_any_scale(scale: float) -> None:
    values = np.full((20, 20), scale, np.float32)
    values[0, 0] = 1.4 * scale
    assert ClassMap("input", "cat", values).ceiling == pytest.approx(1.4 * scale)
    values[0, 0] = 2 * scale
    assert ClassMap("input", "cat", values).ceiling == pytest.approx(scale)


def test_a_few_pixels_of_evidence_among_zeros_are_drawn_up_to_the_highest() -> None:
    values = np.zeros((20, 20), np.float32)
    values[3, 4] = 0.5
    assert ClassMap("input", "cat", values).ceiling == 0.5
    assert ClassMap("input", "cat", ZERO).ceiling == 0


def test_evidence_is_anything_above_zero() -> None:
    assert not ClassMap("conv1", "cat", ZERO).evidence
    assert ClassMap("conv1", "cat", ZERO + np.float32(1e-30)).evidence
    assert not ActivationMaps("conv1", [ChannelMap(0, ZERO)]).evidence
    assert ActivationMaps("conv1", [ChannelMap(0, ZERO), ChannelMap(1, ONE)]).evidence
