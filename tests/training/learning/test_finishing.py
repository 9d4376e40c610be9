from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
import torch

from pawsight_training.evaluation.evaluation import evaluate_model
from pawsight_training.learning.checkpoints import read_best
from pawsight_training.runs.run import HISTORY

if TYPE_CHECKING:
    from pawsight_training.data.dataset import Dataset
    from pawsight_training.runs.run import Run


def test_the_weights_are_those_of_the_best_epoch(finished_run: Run) -> None:
    best = read_best(finished_run.path)["state_dict"]
    for name, value in finished_run.model().state_dict().items():
        assert torch.equal(value, best[f"net.{name}"])


def test_the_best_epoch_is_the_first_that_told_most_validation_pictures_apart(
    finished_run: Run,
) -> None:
    with (finished_run.path / HISTORY).open() as file:
        accuracies = [float(row["validation_accuracy"]) for row in csv.DictReader(file)]
    assert min(accuracies) < accuracies[-1] < max(accuracies)
    assert finished_run.manifest.best_epoch == accuracies.index(max(accuracies)) + 1
    assert finished_run.manifest.metrics["validation"]["accuracy"] == max(accuracies)


def test_the_figures_are_those_of_the_finished_weights(finished_run: Run, data: Dataset) -> None:
    assert finished_run.manifest.metrics.keys() == {"validation", "test"}
    for name, figures in finished_run.manifest.metrics.items():
        again = evaluate_model(finished_run.model(), data.splits[name]).metrics
        assert again == pytest.approx(figures, rel=1e-4)


def test_the_manifest_says_what_was_counted(finished_run: Run, vgg_run: Run) -> None:
    for run in (finished_run, vgg_run):
        net = run.model()
        assert run.manifest.parameters == sum(weight.numel() for weight in net.parameters())
        assert run.manifest.duration_s > 0
        assert {"pawsight", "torch", "python"} <= run.manifest.libraries.keys()
        assert run.manifest.initial_weights is None
