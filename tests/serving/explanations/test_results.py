from __future__ import annotations

import numpy as np

from pawsight_serving.explanations.results import ActivationMaps, ChannelMap, ClassMap

ZERO, ONE = np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32)


def test_drawings_run_up_to_the_highest_value_unless_it_towers() -> None:
    values = np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20)
    assert ClassMap("input", "cat", values).ceiling == 1.0
    values[19, 19] = 50
    assert ClassMap("input", "cat", values).ceiling < 1.0
    assert ClassMap("conv1", "cat", values).ceiling == 50


def test_evidence_is_anything_above_zero() -> None:
    assert not ClassMap("conv1", "cat", ZERO).evidence
    assert ClassMap("conv1", "cat", ZERO + np.float32(1e-30)).evidence
    assert not ActivationMaps("conv1", [ChannelMap(0, ZERO)]).evidence
    assert ActivationMaps("conv1", [ChannelMap(0, ZERO), ChannelMap(1, ONE)]).evidence
