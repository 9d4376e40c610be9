"""The nets that can be trained: one function in one file each, listed here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from pawsight_training.architectures.batch_norm import add_batch_norm, fold_batch_norm
from pawsight_training.architectures.convnet import ConvNet, Normalise, map_size, outputs_for
from pawsight_training.architectures.scratch import scratch
from pawsight_training.architectures.vgg16 import vgg16
from pawsight_training.errors import RecipeInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "ConvNet",
    "Normalise",
    "add_batch_norm",
    "build",
    "fold_batch_norm",
    "map_size",
]


class Architecture(Protocol):
    """Builds a net with fresh weights."""

    def __call__(self, outputs: int, input_size: tuple[int, int], dropout: float = 0.0) -> ConvNet:
        """Return the net for pictures of (height, width) `input_size`."""


ARCHITECTURES: Final[Mapping[str, Architecture]] = {"scratch": scratch, "vgg16": vgg16}


def build(name: str, classes: int, input_size: tuple[int, int], dropout: float = 0.0) -> ConvNet:
    """Return the named net for so many classes, weights drawn from torch's generator.

    Raises:
        RecipeInvalid: no such architecture, or the pictures are too small for it.
    """
    if name not in ARCHITECTURES:
        raise RecipeInvalid(f"Architecture {name!r} is not one of: {', '.join(ARCHITECTURES)}.")
    return ARCHITECTURES[name](outputs_for(classes), input_size, dropout)
