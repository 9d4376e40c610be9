from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from pawsight_training.data.dataset import Dataset, load_dataset
from pawsight_training.errors import RecipeInvalid
from pawsight_training.learning.initialisation import starting_net
from pawsight_training.learning.learner import Learner
from pawsight_training.learning.training import train
from pawsight_training.recipes import RECIPES, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from pawsight_training.learning.job import Job


class Recorded(Learner):
    """Writes down the size and the first pixels of what each step is trained on."""

    seen: list[tuple[torch.Size, float]]

    def _measure(self, split: str, pictures: Tensor, labels: Tensor) -> Tensor:
        if split == "train":
            self.seen.append((pictures.shape[2:], pictures.float().mean().item()))
        return super()._measure(split, pictures, labels)


@pytest.fixture
def steps(
    data: Dataset,
    make_job: Callable[..., Job],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., list[tuple[torch.Size, float]]]:
    def run(name: str, data: Dataset = data, **options: Any) -> list[tuple[torch.Size, float]]:
        Recorded.seen = []
        monkeypatch.setattr("pawsight_training.learning.training.Learner", Recorded)
        train(make_job(name, data, **options), tmp_path / str(len(list(tmp_path.iterdir()))))
        return Recorded.seen

    return run


def test_the_chance_of_a_step_follows_from_the_seed(
    steps: Callable[..., list[tuple[torch.Size, float]]],
) -> None:
    one, same, other = (steps("scratch-augmented", seed=seed) for seed in (1, 1, 2))
    assert one == same != other
    assert len({mean for _, mean in one}) == len(one) == 4


def test_what_a_step_sees_is_augmented_where_the_recipe_says_so(
    steps: Callable[..., list[tuple[torch.Size, float]]],
) -> None:
    assert steps("scratch-augmented") != steps("scratch-augmented", augmentation=None)


def test_small_pictures_come_first(
    steps: Callable[..., list[tuple[torch.Size, float]]], drawn: Path, cache: Path
) -> None:
    larger = load_dataset([drawn], (64, 80), cache=cache)
    seen = steps(
        "scratch", larger, epochs=3, smaller_until=((0.4, 0.75), (0.7, 0.8)), batch_size=20
    )
    assert [tuple(size) for size, _ in seen] == [(48, 60)] * 2 + [(51, 64)] * 2 + [(64, 80)] * 2


@pytest.mark.parametrize("input_size", [(46, 46), (64, 400), (400, 64)])
def test_pictures_that_would_get_too_small_are_refused(input_size: tuple[int, int]) -> None:
    recipe = replace(RECIPES["scratch"], smaller_until=((0.5, 0.5),))
    net = starting_net(recipe, 2, input_size, seed=0)
    with pytest.raises(RecipeInvalid, match="too small for the net; give a larger --input-size"):
        Learner(net, recipe, 0, input_size)


@pytest.mark.parametrize(
    ("recipe", "kind"),
    [
        (RECIPES["scratch"], torch.optim.RMSprop),
        (RECIPES["end-to-end"], torch.optim.AdamW),
    ],
)
def test_frozen_weights_are_not_given_to_the_optimizer(recipe: Recipe, kind: type) -> None:
    recipe = replace(recipe, trainable=("head",), schedule="constant", smaller_until=())
    net = starting_net(recipe, 2, (64, 64), seed=0)
    optimizer = Learner(net, recipe, 0, (64, 64)).configure_optimizers()
    assert isinstance(optimizer, torch.optim.Optimizer)
    assert isinstance(optimizer, kind)
    moved = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    assert moved == {id(weight) for weight in net.head.parameters()}
