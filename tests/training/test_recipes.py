from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pawsight_training.errors import RecipeInvalid
from pawsight_training.recipes import RECIPES, Augmentation

LECTURE = Augmentation(rotation_deg=40, shift=0.2, shear=0.2, zoom=0.2, flip=True)


def test_the_recipes_are_the_lectures() -> None:
    assert {
        name: (recipe.architecture, recipe.learning_rate, recipe.batch_size, recipe.epochs)
        for name, recipe in RECIPES.items()
        if name != "end-to-end"
    } == {
        "scratch": ("scratch", 1e-4, 20, 30),
        "scratch-augmented": ("scratch", 1e-4, 20, 100),
        "features": ("vgg16", 2e-5, 20, 30),
        "frozen-augmented": ("vgg16", 2e-5, 20, 30),
        "fine-tune": ("vgg16", 1e-5, 20, 100),
    }
    augmented = {name for name, recipe in RECIPES.items() if recipe.augmentation == LECTURE}
    assert augmented == {"scratch-augmented", "frozen-augmented", "fine-tune"}
    dropped = {name for name, recipe in RECIPES.items() if recipe.dropout == 0.5}
    assert dropped == {"scratch-augmented", "features", "end-to-end"}
    assert {recipe.optimizer for name, recipe in RECIPES.items() if name != "end-to-end"} == {
        "rmsprop"
    }


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"epochs": 0}, "--epochs"),
        ({"batch_size": 0}, "--batch-size"),
        ({"learning_rate": 0.0}, "--learning-rate"),
        ({"learning_rate": float("inf")}, "--learning-rate"),
        ({"weight_decay": -1.0}, "weight decay"),
        ({"dropout": 1.0}, "--dropout"),
        ({"average": 1.0}, "--average"),
        ({"patience": -1}, "--patience"),
        ({"smaller_until": ((0.5, 1.0),)}, "smaller_until"),
        ({"smaller_until": ((0.7, 0.5), (0.5, 0.7))}, "smaller_until"),
        ({"stored_features": True, "augmentation": LECTURE}, "take frozen-augmented"),
    ],
)
def test_what_cannot_be_trained_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeInvalid, match=sentence):
        replace(RECIPES["scratch"], **changes)
