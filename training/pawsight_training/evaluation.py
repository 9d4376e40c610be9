"""How well a model does on a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pawsight_training.dataset import Split


def classification_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy of logits [B, 1] or [B, C] and labels int64 [B]."""
    logits = logits.float()
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits[:, 0], labels.float())
    return F.cross_entropy(logits, labels)


def predicted_labels(logits: Tensor) -> Tensor:
    """Return the likelier class of each picture, int64 [B], of logits [B, 1] or [B, C]."""
    return (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(dim=1)


def probabilities(logits: Tensor) -> Tensor:
    """Return probabilities [B, classes] of logits [B, 1] or [B, C]."""
    logits = logits.float()
    if logits.shape[1] == 1:
        return torch.cat([(-logits).sigmoid(), logits.sigmoid()], dim=1)
    return logits.softmax(dim=1)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The answers of a model on a split, and the figures that follow from them.

    Attributes:
        probabilities: float32, [N, classes].
        labels: int64, [N].
        metrics: name to value.
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]
    metrics: dict[str, float]


def evaluate_model(model: nn.Module, split: Split, *, batch_size: int = 50) -> Evaluation:
    """Run a model on every picture of a split, in float32, on the model's device.

    Args:
        model: pictures uint8 [B, 3, H, W] to logits, in eval mode.
        split: pictures in the model's input size.
        batch_size: pictures a step.
    """
    device = next(model.parameters()).device
    batches = []
    with torch.inference_mode():
        for start in range(0, len(split), batch_size):
            pictures = torch.from_numpy(np.array(split.pictures[start : start + batch_size]))
            batches.append(model(pictures.permute(0, 3, 1, 2).to(device)).float().cpu())
    logits, labels = torch.cat(batches), torch.from_numpy(split.labels)
    return Evaluation(
        probabilities=probabilities(logits).numpy(),
        labels=split.labels,
        metrics={
            "accuracy": (predicted_labels(logits) == labels).double().mean().item(),
            "loss": classification_loss(logits, labels).item(),
        },
    )
