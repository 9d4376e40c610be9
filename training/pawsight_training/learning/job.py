"""All that decides what a training gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pawsight_training.data.dataset import Dataset
    from pawsight_training.machine import Machine
    from pawsight_training.recipes import Recipe
    from pawsight_training.runs.weights import Weights


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """One training: two of the same job on the same machine give the same weights.

    Attributes:
        recipe_name: for the manifest.
        recipe: what is trained, and how.
        data: pictures in the net's input size, with `train` and `validation`.
        seed: of the first weights, the order of the pictures, augmentation and dropout.
        machine: devices and precision.
        weights: to start from; None is fresh ones.
    """

    recipe_name: str
    recipe: Recipe
    data: Dataset
    seed: int
    machine: Machine
    weights: Weights | None = None
