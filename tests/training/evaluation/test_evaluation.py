from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pawsight_training.evaluation.evaluation import (
    Evaluation,
    classification_loss,
    evaluate_model,
    predicted_labels,
    probabilities_of,
)

if TYPE_CHECKING:
    from pawsight_training.data.dataset import Dataset


def evaluation(scores: list[float], labels: list[int]) -> Evaluation:
    second = np.array(scores, dtype=np.float32)
    return Evaluation(np.stack([1 - second, second], axis=1), np.array(labels))


def test_one_logit_is_two_classes() -> None:
    logits = torch.tensor([[2.0], [-3.0]])
    both = torch.cat([-logits, logits], dim=1) / 2
    torch.testing.assert_close(probabilities_of(logits), both.softmax(dim=1))
    assert predicted_labels(logits).tolist() == both.argmax(dim=1).tolist() == [1, 0]
    labels = torch.tensor([1, 1])
    torch.testing.assert_close(
        classification_loss(logits, labels), classification_loss(both, labels)
    )


def test_a_logit_without_a_lean_is_the_first_class_as_in_the_probabilities() -> None:
    undecided = torch.zeros(1, 1)
    assert predicted_labels(undecided) == probabilities_of(undecided).argmax(dim=1)


def test_figures_of_a_known_case() -> None:
    measured = evaluation([0.9, 0.8, 0.4, 0.3, 0.2], [1, 0, 1, 0, 0])
    assert measured.metrics["accuracy"] == pytest.approx(3 / 5)
    likelihoods = (0.9, 0.2, 0.4, 0.7, 0.8)
    loss = -sum(math.log(likelihood) for likelihood in likelihoods) / 5
    assert measured.metrics["loss"] == pytest.approx(loss, rel=1e-5)
    assert measured.metrics["roc_auc"] == pytest.approx(5 / 6)
    assert measured.confusion.tolist() == [[2, 1], [1, 1]]


def test_calibration_error_is_how_far_sureness_is_from_being_right() -> None:
    always_right = evaluation([0.75] * 4 + [0.25] * 4, [1] * 4 + [0] * 4)
    assert always_right.metrics["calibration_error"] == pytest.approx(0.25)
    honest = evaluation([0.75] * 4 + [0.25] * 4, [1, 1, 1, 0, 0, 0, 0, 1])
    assert honest.metrics["calibration_error"] == pytest.approx(0.0, abs=1e-6)


def test_sureness_is_compared_in_fifteen_bins() -> None:
    # Two thirds, where a bin ends, is between them: with a bin more or less there would be one.
    apart = evaluation([0.66, 0.67], [0, 1])
    assert apart.metrics["calibration_error"] == pytest.approx((0.66 + 0.33) / 2)


def test_of_three_classes_each_has_its_row_and_column_predicted_or_not() -> None:
    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 1.0, 0.0]])
    measured = Evaluation(probabilities_of(logits).numpy(), np.array([0, 1, 0]))
    np.testing.assert_allclose(measured.probabilities.sum(axis=1), 1, rtol=1e-6)
    assert measured.predicted.tolist() == predicted_labels(logits).tolist() == [0, 1, 1]
    assert measured.confusion.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_a_certain_mistake_has_a_finite_loss() -> None:
    assert math.isfinite(evaluation([1.0, 1.0], [0, 1]).metrics["loss"])


def test_every_picture_is_evaluated_whatever_the_batch(data: Dataset) -> None:
    class Brightness(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(0.01))

        def forward(self, pictures: Tensor) -> Tensor:
            assert pictures.dtype == torch.uint8
            return pictures.float().mean(dim=(1, 2, 3))[:, None] * self.scale

    split = data.splits["test"]
    one, other = (evaluate_model(Brightness(), split, batch_size=size) for size in (3, 50))
    assert len(one.labels) == 16
    np.testing.assert_allclose(one.probabilities, other.probabilities, rtol=1e-6)
    expected = 1 / (1 + np.exp(-split.pictures.mean(axis=(1, 2, 3)) * 0.01))
    np.testing.assert_allclose(one.probabilities[:, 1], expected, rtol=1e-4)


@pytest.mark.parametrize("logits", [[[2.0]], [[-1.0, 1.0]]])
def test_half_precision_ends_with_the_logits(logits: list[list[float]]) -> None:
    half = torch.tensor(logits, dtype=torch.bfloat16)
    assert probabilities_of(half).dtype == torch.float32
    assert probabilities_of(half)[0].tolist() == pytest.approx([0.1192029, 0.8807971])
    loss = classification_loss(half, torch.tensor([1]))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(0.1269280)
