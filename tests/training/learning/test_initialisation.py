from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from pawsight_training.architectures import build
from pawsight_training.errors import WeightsInvalid
from pawsight_training.learning.initialisation import starting_net
from pawsight_training.recipes import RECIPES
from pawsight_training.runs.weights import Weights

SIZE = (32, 32)


def vgg_weights(*, head: bool = True, size: tuple[int, int] = SIZE, classes: int = 2) -> Weights:
    torch.manual_seed(99)
    state = build("vgg16", classes, size).state_dict()
    return Weights(
        "given", "0" * 64, {k: v for k, v in state.items() if head or not k.startswith("head")}
    )


def trainable(name: str, size: tuple[int, int], **changes: Any) -> int:
    recipe = replace(RECIPES[name], start="anywhere", **changes)
    net = starting_net(recipe, 2, size, seed=0)
    return sum(weight.numel() for weight in net.parameters() if weight.requires_grad)


def test_as_much_moves_as_in_the_lecture() -> None:
    size = (150, 150)
    assert trainable("scratch", size) == 3_453_121
    assert trainable("frozen-augmented", size) == 2_097_665
    assert trainable("features", size) == 2_097_665
    assert trainable("fine-tune", size) == 2_097_665 + 3 * (512 * 512 * 9 + 512)
    assert trainable("end-to-end", size, batch_norm=False) == 16_812_353


def test_a_seed_gives_the_same_net() -> None:
    nets = [starting_net(RECIPES["scratch"], 2, (46, 46), seed=seed) for seed in (1, 1, 2)]
    same, again, other = (torch.cat([w.flatten() for w in net.parameters()]) for net in nets)
    assert torch.equal(same, again)
    assert not torch.equal(same, other)


@pytest.mark.parametrize("name", ["features", "frozen-augmented"])
def test_the_base_is_taken_and_the_head_is_new(name: str) -> None:
    weights = vgg_weights()
    state = starting_net(RECIPES[name], 2, SIZE, seed=0, weights=weights).state_dict()
    for key, value in state.items():
        same = torch.equal(value, weights.tensors[key])
        assert same != (key.startswith("head") and key.endswith("weight")), key


@pytest.mark.parametrize("name", ["fine-tune", "end-to-end"])
def test_a_trained_head_is_kept(name: str) -> None:
    weights = vgg_weights()
    state = starting_net(RECIPES[name], 2, SIZE, seed=0, weights=weights).state_dict()
    assert all(torch.equal(value, weights.tensors[key]) for key, value in state.items())


@pytest.mark.parametrize("name", ["features", "frozen-augmented", "fine-tune"])
def test_recipes_of_transfer_want_weights(name: str) -> None:
    with pytest.raises(WeightsInvalid, match="give --weights imagenet"):
        starting_net(RECIPES[name], 2, SIZE, seed=0)


@pytest.mark.parametrize(
    "weights",
    [vgg_weights(head=False), vgg_weights(size=(64, 64)), vgg_weights(classes=3)],
    ids=["no head", "another size", "other classes"],
)
def test_fine_tuning_wants_a_head_that_fits(weights: Weights) -> None:
    with pytest.raises(WeightsInvalid, match="starts from a trained head, and given has none"):
        starting_net(RECIPES["fine-tune"], 2, SIZE, seed=0, weights=weights)
    starting_net(RECIPES["end-to-end"], 2, SIZE, seed=0, weights=weights)


def test_weights_of_another_net_are_refused() -> None:
    scratch = Weights("other", "0" * 64, build("scratch", 2, (46, 46)).state_dict())
    with pytest.raises(WeightsInvalid, match="other are of another net than vgg16"):
        starting_net(RECIPES["end-to-end"], 2, SIZE, seed=0, weights=scratch)


def test_batch_norm_helps_fresh_nets_alone() -> None:
    def norms(weights: Weights | None) -> int:
        net = starting_net(RECIPES["end-to-end"], 2, SIZE, seed=0, weights=weights)
        return sum(isinstance(module, nn.BatchNorm2d) for module in net.modules())

    assert norms(None) == 13
    assert norms(vgg_weights()) == 0


def test_half_precision_weights_are_read_into_whole_ones() -> None:
    weights = vgg_weights()
    half = Weights("half", "0" * 64, {k: v.half() for k, v in weights.tensors.items()})
    net = starting_net(RECIPES["end-to-end"], 2, SIZE, seed=0, weights=half)
    assert {weight.dtype for weight in net.parameters()} == {torch.float32}
    first = "features.block1_conv1.weight"
    assert torch.equal(net.state_dict()[first], half.tensors[first].float())
