"""Drawn pictures, and jobs small enough to train in seconds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from pawsight_training.data.dataset import Dataset, load_dataset
from pawsight_training.learning.job import Job
from pawsight_training.learning.training import train
from pawsight_training.machine import Machine
from pawsight_training.recipes import RECIPES
from tests.drawn_pictures import draw_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pawsight_training.runs.run import Run
    from pawsight_training.runs.weights import Weights

CPU = Machine(accelerator="cpu", precision="32")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Spinning threads slow one another down where tests share the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures") / "drawn"
    return draw_folder(folder, {"train": 20, "validation": 8, "test": 8})


@pytest.fixture(scope="session")
def data(drawn: Path, cache: Path) -> Dataset:
    """The drawn pictures at 46x46, the smallest that the scratch net takes."""
    return load_dataset([drawn], (46, 46), cache=cache)


@pytest.fixture(scope="session")
def small_data(drawn: Path, cache: Path) -> Dataset:
    """The drawn pictures at 32x32, the smallest that VGG16 takes."""
    return load_dataset([drawn], (32, 32), cache=cache)


@pytest.fixture(scope="session")
def make_job() -> Callable[..., Job]:
    """Return a job of a recipe on data, one epoch of batches of 10 unless it is said otherwise."""

    def make(
        name: str,
        data: Dataset,
        *,
        weights: Weights | None = None,
        machine: Machine = CPU,
        seed: int = 0,
        **changes: Any,
    ) -> Job:
        recipe = replace(RECIPES[name], **({"epochs": 1, "batch_size": 10} | changes))
        return Job(
            recipe_name=name, recipe=recipe, data=data, seed=seed, machine=machine, weights=weights
        )

    return make


@pytest.fixture(scope="session")
def finished_run(
    data: Dataset, make_job: Callable[..., Job], tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """A scratch net that tells the drawn pictures apart."""
    job = make_job("scratch", data, epochs=6, learning_rate=1e-3)
    return train(job, tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="session")
def vgg_run(
    small_data: Dataset, make_job: Callable[..., Job], tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """A VGG16 of 32x32 pictures that was trained end to end for an epoch."""
    job = make_job("end-to-end", small_data, smaller_until=())
    return train(job, tmp_path_factory.mktemp("runs") / "vgg")
