from __future__ import annotations

import numpy as np

from pawsight_serving.explainer.explanations import ActivationMaps, ChannelMap, ClassMap

ZERO, ONE = np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32)


def test_evidence_is_anything_above_zero() -> None:
    assert not ClassMap("conv1", "cat", ZERO).evidence
    assert ClassMap("conv1", "cat", ZERO + np.float32(1e-30)).evidence
    assert not ActivationMaps("conv1", [ChannelMap(0, ZERO)]).evidence
    assert ActivationMaps("conv1", [ChannelMap(0, ZERO), ChannelMap(1, ONE)]).evidence
