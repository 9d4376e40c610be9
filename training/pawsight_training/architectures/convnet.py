"""The one form that every net here has, so that export can walk it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pawsight_training.errors import RecipeInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence


class Normalise(nn.Module):
    """`(pixel - mean) / std` by channel, in units of pixel values 0 to 255.

    The buffers are part of the weights: a model carries its own preprocessing.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).reshape(3, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).reshape(3, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """Return float32 [B, 3, H, W]."""
        normalised: Tensor = (pictures.to(torch.float32) - self.mean) / self.std
        return normalised


class ConvNet(nn.Module):
    """Pictures → `normalise` → `features` (convolutions) → `head` (dense layers) → logits."""

    def __init__(self, normalise: Normalise, features: nn.Sequential, head: nn.Sequential) -> None:
        super().__init__()
        self.normalise = normalise
        self.features = features
        self.head = head

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the logits.

        Args:
            pictures: RGB [B, 3, H, W], uint8 or float, values 0 to 255.

        Returns:
            [B, 1] for two classes: the logit z of the second class, the first one's is -z.
            [B, C] for three classes and more.
        """
        logits: Tensor = self.head(self.features(self.normalise(pictures)))
        return logits


def check_size(net: str, input_size: tuple[int, int], least: int) -> None:
    """Refuse pictures of (height, width) `input_size` that are too small for a net's poolings.

    Raises:
        RecipeInvalid: a side has fewer than `least` pixels.
    """
    height, width = input_size
    if min(height, width) < least:
        raise RecipeInvalid(
            f"{net} needs pictures of at least {least}x{least} pixels, not {height}x{width}; "
            "give a larger --input-size."
        )


def map_size(features: nn.Sequential, input_size: tuple[int, int]) -> tuple[int, int]:
    """Return (height, width) of the last map for pictures of (height, width) `input_size`."""
    height, width = input_size
    for module in features:
        if isinstance(module, nn.Conv2d):
            lost = module.kernel_size[0] - 1 - 2 * int(module.padding[0])
            height, width = height - lost, width - lost
        elif isinstance(module, nn.MaxPool2d):
            height, width = height // 2, width // 2
    return height, width


def outputs_for(classes: int) -> int:
    """Return how many logits tell so many classes apart."""
    return 1 if classes == 2 else classes
