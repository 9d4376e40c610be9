"""The recipes: what is trained, on what, for how long. Each reads like the lecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from pawsight_training.augmentation import Augmentation
from pawsight_training.errors import RecipeInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

Schedule = Literal["constant", "one-cycle", "cosine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One way to train.

    Attributes:
        architecture: which net.
        optimizer: RMSprop with Keras' constants, or AdamW.
        learning_rate: constant, or the peak of the schedule.
        batch_size: pictures a step, over all devices together.
        epochs: how often every training picture is seen.
        schedule: how the learning rate moves over the steps.
        dropout: probability; 0 is none.
        augmentation: ranges of the random changes; None is none.
        average: decay a step of a moving average of the weights, which is then what is
            validated and kept; 0 is none.
        patience: epochs without a better validation accuracy before it stops; 0 is never.
    """

    architecture: str
    optimizer: Literal["rmsprop", "adamw"] = "rmsprop"
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    batch_size: int = 20
    epochs: int = 30
    schedule: Schedule = "constant"
    dropout: float = 0.0
    augmentation: Augmentation | None = None
    average: float = 0.0
    patience: int = 0

    def __post_init__(self) -> None:
        for good, sentence in (
            (self.epochs >= 1, "--epochs must be at least 1."),
            (self.batch_size >= 1, "--batch-size must be at least 1."),
            (self.learning_rate > 0, "--learning-rate must be above 0."),
            (self.weight_decay >= 0, "The weight decay must not be below 0."),
            (0 <= self.dropout < 1, "--dropout must be at least 0 and below 1."),
            (0 <= self.average < 1, "--average must be at least 0 and below 1."),
            (self.patience >= 0, "--patience must not be below 0."),
        ):
            if not good:
                raise RecipeInvalid(sentence)


RECIPES: Final[Mapping[str, Recipe]] = {
    "scratch": Recipe(architecture="scratch"),
    "scratch-augmented": Recipe(
        architecture="scratch", dropout=0.5, augmentation=Augmentation(), epochs=100
    ),
}
