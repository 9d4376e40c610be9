"""How well a model does: its answers on a split, and the figures that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pawsight_training.progress import tracked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pawsight_training.data.dataset import Split

CALIBRATION_BINS: Final = 15


def classification_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy of logits [B, 1] or [B, C] and labels int64 [B]."""
    logits = logits.float()
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits[:, 0], labels.float())
    return F.cross_entropy(logits, labels)


def predicted_labels(logits: Tensor) -> Tensor:
    """Return the likelier class of each picture, int64 [B], of logits [B, 1] or [B, C]."""
    return (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(dim=1)


def probabilities_of(logits: Tensor) -> Tensor:
    """Return probabilities float32 [B, classes] of logits [B, 1] or [B, C]."""
    logits = logits.float()
    if logits.shape[1] == 1:
        return torch.cat([(-logits).sigmoid(), logits.sigmoid()], dim=1)
    return logits.softmax(dim=1)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The answers of a model on a split.

    Attributes:
        probabilities: float32, [N, classes].
        labels: what is true, int64, [N].
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The likeliest class of each picture, int64, [N]."""
        likeliest: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return likeliest

    @property
    def confusion(self) -> NDArray[np.int64]:
        """How many pictures of each class (row) were taken for which (column)."""
        classes = self.probabilities.shape[1]
        cells = self.labels * classes + self.predicted
        return np.bincount(cells, minlength=classes**2).reshape(classes, classes)

    @property
    def true_probabilities(self) -> NDArray[np.float32]:
        """The probability given to the true class of each picture, float32, [N]."""
        return self.probabilities[np.arange(len(self.labels)), self.labels]

    @property
    def metrics(self) -> dict[str, float]:
        """Accuracy, loss (nats), area under the ROC curve, expected calibration error.

        The area is the mean over one class against the rest, which for two classes is the area
        itself; the calibration error is that of Guo et al. (2017), 15 bins.
        """
        # It takes seconds to import, and those who only read losses need none of it.
        from torchmetrics.functional.classification import (
            multiclass_auroc,
            multiclass_calibration_error,
        )

        probabilities = torch.from_numpy(self.probabilities)
        labels = torch.from_numpy(self.labels)
        classes = self.probabilities.shape[1]
        smallest = np.finfo(np.float32).tiny
        return {
            "accuracy": float((self.predicted == self.labels).mean()),
            "loss": float(-np.log(np.maximum(self.true_probabilities, smallest)).mean()),
            "roc_auc": multiclass_auroc(probabilities, labels, classes).item(),
            "calibration_error": multiclass_calibration_error(
                probabilities, labels, classes, n_bins=CALIBRATION_BINS
            ).item(),
        }


def evaluate_model(model: nn.Module, split: Split, *, batch_size: int = 50) -> Evaluation:
    """Run a model on every picture of a split, in its own precision and on its own device.

    Args:
        model: pictures uint8 [B, 3, H, W] to logits [B, 1] or [B, C], in eval mode.
        split: pictures in the model's input size.
        batch_size: pictures a step.
    """
    device = next(model.parameters()).device
    batches = []
    with torch.inference_mode():
        for start in tracked(range(0, len(split), batch_size), "Evaluating"):
            pictures = torch.from_numpy(np.array(split.pictures[start : start + batch_size]))
            batches.append(model(pictures.permute(0, 3, 1, 2).to(device)).cpu())
    return Evaluation(probabilities_of(torch.cat(batches)).numpy(), split.labels)
