from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch

from pawsight_training.data.loading import Batches, Pictures
from pawsight_training.errors import RecipeInvalid

if TYPE_CHECKING:
    from lightning.pytorch import Trainer
    from torch.utils.data import DataLoader

    from pawsight_training.data.dataset import Dataset

N_TRAIN = 40


def batches(data: Dataset, *, world: int = 1, rank: int = 0, seed: int = 0) -> Batches:
    made = Batches(data, 8, seed)
    made.trainer = cast("Trainer", SimpleNamespace(world_size=world, global_rank=rank))
    return made


def rows(loader: DataLoader[Any], data: Dataset, epoch: int = 0) -> list[int]:
    """Return which training pictures the loader gives, in its order."""
    cast("Any", loader.sampler).set_epoch(epoch)
    known = {picture.tobytes(): row for row, picture in enumerate(data.splits["train"].pictures)}
    return [
        known[picture.permute(1, 2, 0).numpy().tobytes()]
        for pictures, _ in loader
        for picture in pictures
    ]


def test_batches_are_channels_last_without_a_copy(data: Dataset) -> None:
    pictures, labels = Pictures(data.splits["train"]).__getitems__([3, 30])
    assert pictures.shape == (2, 3, 46, 46)
    assert pictures.dtype == torch.uint8
    assert pictures.is_contiguous(memory_format=torch.channels_last)
    assert labels.tolist() == [0, 1]
    expected = data.splits["train"].pictures[30].transpose(2, 0, 1)
    assert np.array_equal(pictures[1].numpy(), expected)


def test_the_order_follows_from_seed_and_epoch(data: Dataset) -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return rows(batches(data, seed=seed).train_dataloader(), data, epoch)

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)
    assert sorted(order(1, 0)) == list(range(N_TRAIN))


def test_processes_share_each_batch(data: Dataset) -> None:
    loaders = [batches(data, world=2, rank=rank).train_dataloader() for rank in (0, 1)]
    first, second = (rows(loader, data) for loader in loaders)
    assert [loader.batch_size for loader in loaders] == [4, 4]
    assert sorted(first + second) == list(range(N_TRAIN))


def test_a_batch_that_cannot_be_shared_is_refused(data: Dataset) -> None:
    with pytest.raises(RecipeInvalid, match="8 pictures cannot be shared by 3 devices"):
        batches(data, world=3).train_dataloader()


def test_every_process_validates_on_all_pictures_in_order(data: Dataset) -> None:
    loader = batches(data, world=2, rank=1).val_dataloader()
    labels = torch.cat([labels for _, labels in loader])
    assert labels.tolist() == data.splits["validation"].labels.tolist()
