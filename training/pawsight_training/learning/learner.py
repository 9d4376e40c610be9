"""One step of a training, for Lightning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import numpy as np
import torch
import torch.nn.functional as F
from torch.optim import AdamW, Optimizer, RMSprop
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR
from torchvision.transforms.v2.functional import resize

from pawsight_training.architectures import ConvNet, map_size
from pawsight_training.data.augmentation import RandomAffineBatch
from pawsight_training.errors import RecipeInvalid
from pawsight_training.evaluation.evaluation import classification_loss, predicted_labels

if TYPE_CHECKING:
    from lightning.pytorch.utilities.types import OptimizerLRScheduler
    from torch import Tensor

    from pawsight_training.data.loading import Batch
    from pawsight_training.recipes import Recipe


class Learner(pl.LightningModule):
    """A net and the recipe that trains it.

    All chance of a step (augmentation, dropout) is drawn anew from seed, step and process, so
    that a resumed training needs no hidden state to go on as if it had never stopped.
    """

    def __init__(
        self, net: ConvNet, recipe: Recipe, seed: int, input_size: tuple[int, int]
    ) -> None:
        super().__init__()
        self.net = net
        self.recipe = recipe
        self.seed = seed
        self.input_size = input_size
        self.map_size = map_size(net.features, input_size)
        self.augment = RandomAffineBatch(recipe.augmentation) if recipe.augmentation else None
        sides = [side for _, side in recipe.smaller_until]
        if any(min(map_size(net.features, self._scaled(side))) < 1 for side in sides):
            raise RecipeInvalid(
                "The small pictures that this recipe starts with are too small for the net; "
                "give a larger --input-size."
            )

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:  # noqa: ARG002
        """Return the loss of one batch."""
        pictures, labels = batch
        chance = np.random.SeedSequence((self.seed, self.global_step, self.global_rank))
        torch.manual_seed(int(chance.generate_state(1)[0]))
        if (size := self._size()) != self.input_size:
            pictures = resize(pictures, list(size), antialias=True)
        if self.augment is not None:
            pictures = self.augment(pictures)
        return self._measure("train", pictures, labels)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Measure one batch of the validation pictures, which are always whole."""
        self._measure("validation", *batch)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the recipe's optimizer over what is trainable, and its schedule."""
        optimizer = self._optimizer()
        schedule = self._schedule(optimizer)
        if schedule is None:
            return optimizer
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _size(self) -> tuple[int, int]:
        """Return (height, width) of the pictures of this epoch."""
        for until, side in self.recipe.smaller_until:
            if self.current_epoch < round(until * self.recipe.epochs):
                return self._scaled(side)
        return self.input_size

    def _scaled(self, side: float) -> tuple[int, int]:
        height, width = self.input_size
        return round(height * side), round(width * side)

    def _logits(self, pictures: Tensor) -> Tensor:
        net = self.net
        stored = self.recipe.stored_features
        maps: Tensor = pictures if stored else net.features(net.normalise(pictures))
        if maps.shape[2:] != self.map_size:
            # Small pictures give small maps, and the head knows one size alone.
            maps = F.interpolate(maps, self.map_size, mode="bilinear")
        logits: Tensor = net.head(maps)
        return logits

    def _measure(self, split: str, pictures: Tensor, labels: Tensor) -> Tensor:
        logits = self._logits(pictures)
        loss = classification_loss(logits, labels)
        accuracy = (predicted_labels(logits) == labels).float().mean()
        self.log_dict(
            {f"{split}_loss": loss, f"{split}_accuracy": accuracy},
            on_step=False,
            on_epoch=True,
            prog_bar=True,
            batch_size=len(labels),
            sync_dist=True,
        )
        return loss

    def _optimizer(self) -> Optimizer:
        recipe = self.recipe
        options: dict[str, Any] = {
            "params": [weight for weight in self.net.parameters() if weight.requires_grad],
            "lr": recipe.learning_rate,
            "weight_decay": recipe.weight_decay,
        }
        if recipe.optimizer == "adamw":
            return AdamW(**options)
        # Keras' constants, which the lecture's learning rates were chosen with.
        return RMSprop(**options, alpha=0.9, eps=1e-7)

    def _schedule(self, optimizer: Optimizer) -> LRScheduler | None:
        if self.recipe.schedule == "constant":
            return None
        steps = int(self.trainer.estimated_stepping_batches)
        if self.recipe.schedule == "cosine":
            return CosineAnnealingLR(optimizer, steps)
        return OneCycleLR(
            optimizer, self.recipe.learning_rate, total_steps=steps, cycle_momentum=False
        )
