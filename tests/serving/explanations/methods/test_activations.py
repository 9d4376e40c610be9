from __future__ import annotations

import numpy as np
import pytest

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explanations.methods.activations import Activations
from pawsight_serving.explanations.queries import Query
from pawsight_serving.explanations.results import ActivationMaps
from tests.serving.explanations.methods.passes import FunctionPasses
from tests.serving.fakes import manifest

IMAGES = np.zeros((2, 8, 8, 3), np.uint8)


def test_without_channels_the_sixteen_strongest_by_mean_come_first() -> None:
    values = np.zeros((20, 4, 4), np.float32)
    values[:, 0, 0] = np.roll(np.arange(20), 7)
    values[3, 1, 1] = 1000
    maps = Activations.ask(manifest(), Query(layer="conv1")).choose("conv1", values)
    means = [channel.mean for channel in maps.channels]
    assert len(means) == 16
    assert maps.channels[0].channel == 3
    assert means == sorted(means, reverse=True)
    assert min(means) >= np.sort(values.mean(axis=(1, 2)))[3]


def test_as_many_as_asked_for_and_no_more_than_there_are() -> None:
    values = np.arange(20, dtype=np.float32)[:, None, None] * np.ones((20, 4, 4), np.float32)
    for top, channels in ((3, [19, 18, 17]), (99, list(range(19, -1, -1)))):
        maps = Activations.ask(manifest(), Query(layer="conv1", top=top)).choose("conv1", values)
        assert [each.channel for each in maps.channels] == channels


def test_channels_come_as_they_were_named() -> None:
    values = np.arange(20, dtype=np.float32)[:, None, None] * np.ones((20, 4, 4), np.float32)
    asked = Activations.ask(manifest(), Query(layer="conv1", channels=(19, 0)))
    maps = asked.choose("conv1", values)
    assert [(each.channel, each.max) for each in maps.channels] == [(19, 19), (0, 0)]


def test_of_channels_that_are_as_strong_the_first_come_first() -> None:
    # So many that a sort which mixes equals would show it.
    values = np.ones((512, 4, 4), np.float32)
    values[1::2] = 2
    maps = Activations.ask(manifest(), Query(layer="conv1")).choose("conv1", values)
    assert [each.channel for each in maps.channels] == list(range(1, 32, 2))


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        (Query(layer="conv1", channels=(0,), top=1), "either `channels` or `top`, not both"),
        (Query(layer="conv1", channels=(0, 1, 0)), "Name each of the `channels` once"),
        (Query(layer="conv1", channels=(0, 20)), "'conv1' has no channel 20; .* are 0 to 19"),
        (Query(layer="conv1,conv2", channels=(3,)), "'conv2' has no channel 3; .* are 0 to 2"),
    ],
)
def test_channels_that_cannot_be_given_are_refused(query: Query, wrong: str) -> None:
    with pytest.raises(OptionInvalid, match=wrong):
        Activations.ask(manifest(), query)


@pytest.mark.parametrize(
    ("query", "shapes"),
    [
        (Query(layer="pool1,conv2"), ((16, 2, 2), (3, 2, 2))),
        (Query(layer="conv1,conv2", top=5), ((5, 4, 4), (3, 2, 2))),
        (Query(layer="conv1", channels=(19, 0)), ((2, 4, 4),)),
    ],
)
def test_as_many_channels_are_foreseen_as_are_given(
    query: Query, shapes: tuple[tuple[int, ...], ...]
) -> None:
    assert Activations.ask(manifest(), query).shapes == shapes


def test_a_channel_says_its_mean_its_maximum_and_its_share_of_zeros() -> None:
    values = np.zeros((20, 4, 4), np.float32)
    values[5, 0] = 2.0
    asked = Activations.ask(manifest(), Query(layer="conv1", channels=(5, 6)))
    some, none = asked.choose("conv1", values).channels
    assert (some.mean, some.max, some.zeros) == (0.5, 2.0, 0.75)
    assert (none.mean, none.max, none.zeros) == (0.0, 0.0, 1.0)


def test_dead_channels_are_no_evidence() -> None:
    asked = Activations.ask(manifest(), Query(layer="conv1"))
    assert not asked.choose("conv1", np.zeros((20, 4, 4), np.float32)).evidence
    assert asked.choose("conv1", np.ones((20, 4, 4), np.float32)).evidence


async def test_several_layers_come_of_one_pass() -> None:
    passes = FunctionPasses(
        lambda images: {
            "probabilities": np.full((len(images), 2), 0.5, np.float32),
            "activation:conv1": np.ones((len(images), 20, 4, 4), np.float32),
            "activation:pool1": np.ones((len(images), 20, 2, 2), np.float32),
        }
    )
    asked = Activations.ask(manifest(), Query(layer="pool1,conv1", top=2))
    found = await asked.explain(IMAGES, passes)
    outputs = ("probabilities", "activation:pool1", "activation:conv1")
    assert passes.asked == [("tiny_explain", outputs, 2)]
    for maps in found.maps:
        assert [each.layer for each in maps] == ["pool1", "conv1"]
        assert all(isinstance(each, ActivationMaps) and len(each.channels) == 2 for each in maps)
