"""Batches of a dataset, in an order that follows from seed and epoch alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from pawsight_training.errors import RecipeInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pawsight_training.data import dataset

Batch = tuple[Tensor, Tensor]
VALIDATION_BATCH: Final = 50


class Pictures(Dataset[Batch]):
    """A split for torch's DataLoader, which asks for whole batches."""

    def __init__(self, split: dataset.Split) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def __getitems__(self, rows: Sequence[int]) -> Batch:
        """Return pictures uint8 [B, 3, H, W], channels last in memory, and labels int64 [B]."""
        chosen = np.asarray(rows)
        pictures = torch.from_numpy(self.split.pictures[chosen]).permute(0, 3, 1, 2)
        return pictures, torch.from_numpy(self.split.labels[chosen])


class Batches(pl.LightningDataModule):
    """Training and validation batches, shared out over the processes of a training.

    Every process trains on its own part of each batch, and validates on all pictures: the
    figures are exact, and no process waits for one that has more batches than it.
    """

    def __init__(self, data: dataset.Dataset, batch_size: int, seed: int) -> None:
        super().__init__()
        self.data = data
        self.batch_size = batch_size
        self.seed = seed

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return this process's part of the training batches, shuffled anew every epoch."""
        world, rank = self._place()
        if self.batch_size % world:
            raise RecipeInvalid(
                f"A batch of {self.batch_size} pictures cannot be shared by {world} devices; "
                f"give a --batch-size that is a multiple of {world}."
            )
        pictures = Pictures(self.data.splits["train"])
        sampler: DistributedSampler[Batch] = DistributedSampler(
            pictures, world, rank, shuffle=True, seed=self.seed
        )
        return _loader(pictures, self.batch_size // world, sampler)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return all validation pictures, in order."""
        return _loader(Pictures(self.data.splits["validation"]), VALIDATION_BATCH)

    def _place(self) -> tuple[int, int]:
        trainer = self.trainer
        return (trainer.world_size, trainer.global_rank) if trainer else (1, 0)


def _loader(
    pictures: Pictures, batch_size: int, sampler: DistributedSampler[Batch] | None = None
) -> DataLoader[Batch]:
    return DataLoader(
        pictures,
        batch_size,
        sampler=sampler,
        collate_fn=_whole,
        pin_memory=torch.cuda.is_available(),
    )


def _whole(batch: Any) -> Any:
    """Return what `Pictures` gave as it is: a batch already, which torch would put together."""
    return batch
