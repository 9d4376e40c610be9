"""The net that a training starts from: its weights, and which of them may move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pawsight_training.architectures import ConvNet, add_batch_norm, build
from pawsight_training.errors import WeightsInvalid

if TYPE_CHECKING:
    from pawsight_training.recipes import Recipe
    from pawsight_training.runs.weights import Weights


def starting_net(
    recipe: Recipe,
    classes: int,
    input_size: tuple[int, int],
    *,
    seed: int,
    weights: Weights | None = None,
) -> ConvNet:
    """Return the net that a recipe starts from, in channels-last memory.

    Batch norm is added only to fresh nets: it would undo what given weights have learnt.

    Raises:
        WeightsInvalid: the recipe needs weights, or these do not fit it.
        RecipeInvalid: the pictures are too small for the net.
    """
    torch.manual_seed(seed)
    net = build(recipe.architecture, classes, input_size, recipe.dropout)
    if weights is not None:
        _load(net, weights, recipe)
    elif recipe.start != "anywhere":
        raise WeightsInvalid(
            "This recipe starts from learnt weights; give --weights imagenet, a file or a run."
        )
    elif recipe.batch_norm:
        net = add_batch_norm(net)
    for name, weight in net.named_parameters():
        weight.requires_grad_(name.startswith(recipe.trainable))
    return net.to(memory_format=torch.channels_last)


def _load(net: ConvNet, weights: Weights, recipe: Recipe) -> None:
    own = net.state_dict()
    fitting = {
        name: tensor
        for name, tensor in weights.tensors.items()
        if name in own and own[name].shape == tensor.shape
    }
    if recipe.start == "base":
        fitting = {name: tensor for name, tensor in fitting.items() if not name.startswith("head")}
    missing = own.keys() - fitting.keys()
    if any(not name.startswith("head") for name in missing):
        raise WeightsInvalid(
            f"The weights {weights.source} are of another net than {recipe.architecture}; "
            "give those of the same architecture."
        )
    if recipe.start == "base and head" and missing:
        raise WeightsInvalid(
            f"This recipe starts from a trained head, and {weights.source} has none for these "
            "classes and this input size; train one first (features, frozen-augmented) and give "
            "its run with --weights."
        )
    net.load_state_dict(fitting, strict=False)
