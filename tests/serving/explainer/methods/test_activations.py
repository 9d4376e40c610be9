from __future__ import annotations

import numpy as np

from pawsight_serving.explainer.explanations import Query
from pawsight_serving.explainer.methods.activations import Activations
from tests.serving.fakes import manifest


def test_without_channels_the_sixteen_strongest_by_mean_come_first() -> None:
    values = np.zeros((20, 4, 4), np.float32)
    values[:, 0, 0] = np.roll(np.arange(20), 7)
    values[3, 1, 1] = 1000
    maps = Activations.ask(manifest(), Query(layer="conv1")).read(values, "cat")
    means = [channel.values.mean() for channel in maps.channels]
    assert len(means) == 16
    assert maps.channels[0].channel == 3
    assert means == sorted(means, reverse=True)
    assert min(means) >= np.sort(values.mean(axis=(1, 2)))[3]


def test_channels_come_as_they_were_named() -> None:
    values = np.arange(20, dtype=np.float32)[:, None, None] * np.ones((20, 4, 4), np.float32)
    asked = Activations.ask(manifest(), Query(layer="conv1", channels=(19, 0)))
    maps = asked.read(values, "cat")
    assert [(each.channel, each.values.max()) for each in maps.channels] == [(19, 19), (0, 0)]


def test_dead_channels_are_no_evidence() -> None:
    asked = Activations.ask(manifest(), Query(layer="conv1"))
    assert not asked.read(np.zeros((20, 4, 4), np.float32), "cat").evidence
    assert asked.read(np.ones((20, 4, 4), np.float32), "cat").evidence
