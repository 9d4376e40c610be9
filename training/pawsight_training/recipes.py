"""The recipes: what is trained, on what, for how long. Each reads like the lecture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from pawsight_training.errors import RecipeInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

Schedule = Literal["constant", "one-cycle", "cosine"]
Start = Literal["anywhere", "base", "base and head"]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Ranges of the random changes, as Keras' ImageDataGenerator names them.

    Attributes:
        rotation_deg: turned by up to so many degrees either way.
        shift: moved by up to this share of height and of width.
        shear: sheared by up to this angle in radians, Keras' meaning when the book was written
            (later Keras read degrees, where 0.2 does nothing).
        zoom: height and width scaled each by 1 ± up to this share.
        flip: mirrored left to right, every second picture.
    """

    rotation_deg: float = 40.0
    shift: float = 0.2
    shear: float = 0.2
    zoom: float = 0.2
    flip: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One way to train.

    Attributes:
        architecture: which net.
        optimizer: RMSprop with Keras' constants, or AdamW.
        learning_rate: constant, or the peak of the schedule.
        weight_decay: AdamW's; how strongly weights are drawn to zero, in shares of the learning
            rate a step. RMSprop takes none.
        batch_size: pictures a step, over all devices together.
        epochs: how often every training picture is seen.
        schedule: how the learning rate moves over the steps.
        dropout: probability; 0 is none.
        augmentation: ranges of the random changes; None is none.
        average: decay a step of a moving average of the weights, which is then what is
            validated and kept; 0 is none.
        start: "anywhere" takes fresh weights or what is given of given ones; "base" needs
            weights and takes their convolutions alone; "base and head" needs a trained head too.
        trainable: beginnings of the names of the weights that move; "" is all.
        stored_features: the convolutions are run once over the pictures, and the head learns
            from what they gave.
        batch_norm: added while a fresh net learns, and folded away at the end.
        smaller_until: (share of the epochs, share of the side), in rising order: until so much
            of the training has passed, its pictures are that much smaller. After the last of
            them, and where there is none, they are whole.
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
    start: Start = "anywhere"
    trainable: tuple[str, ...] = ("",)
    stored_features: bool = False
    batch_norm: bool = False
    smaller_until: tuple[tuple[float, float], ...] = ()
    patience: int = 0

    def __post_init__(self) -> None:
        for good, sentence in (
            (self.epochs >= 1, "--epochs must be at least 1."),
            (self.batch_size >= 1, "--batch-size must be at least 1."),
            (0 < self.learning_rate < math.inf, "--learning-rate must be above 0, and finite."),
            (self.weight_decay >= 0, "The weight decay must not be below 0."),
            (0 <= self.dropout < 1, "--dropout must be at least 0 and below 1."),
            (0 <= self.average < 1, "--average must be at least 0 and below 1."),
            (self.patience >= 0, "--patience must not be below 0."),
            (
                all(0 < share < 1 for stage in self.smaller_until for share in stage)
                and list(self.smaller_until) == sorted(self.smaller_until),
                "The shares of smaller_until must be between 0 and 1, and rise.",
            ),
            (
                not (self.stored_features and self.augmentation),
                "Stored features cannot be augmented; take frozen-augmented.",
            ),
        ):
            if not good:
                raise RecipeInvalid(sentence)


RECIPES: Final[Mapping[str, Recipe]] = {
    "scratch": Recipe(architecture="scratch"),
    "scratch-augmented": Recipe(
        architecture="scratch", dropout=0.5, augmentation=Augmentation(), epochs=100
    ),
    "features": Recipe(
        architecture="vgg16",
        start="base",
        trainable=("head",),
        stored_features=True,
        dropout=0.5,
        learning_rate=2e-5,
    ),
    "frozen-augmented": Recipe(
        architecture="vgg16",
        start="base",
        trainable=("head",),
        augmentation=Augmentation(),
        learning_rate=2e-5,
    ),
    "fine-tune": Recipe(
        architecture="vgg16",
        start="base and head",
        trainable=("features.block5", "head"),
        augmentation=Augmentation(),
        learning_rate=1e-5,
        epochs=100,
    ),
    "end-to-end": Recipe(
        architecture="vgg16",
        batch_norm=True,
        dropout=0.5,
        augmentation=Augmentation(rotation_deg=15.0, shift=0.1, shear=0.1),
        # 64, then 96, then 150 pixels: most is learnt where a step costs a fifth.
        smaller_until=((0.6, 0.43), (0.85, 0.64)),
        optimizer="adamw",
        learning_rate=4e-4,
        weight_decay=0.05,
        schedule="one-cycle",
        batch_size=32,
        epochs=13,
        average=0.998,
    ),
}
