from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from pawsight_training.evaluation.evaluation import evaluate_model
from pawsight_training.learning.checkpoints import read_best

if TYPE_CHECKING:
    from pawsight_training.data.dataset import Dataset
    from pawsight_training.runs.run import Run


def test_the_weights_are_those_of_the_best_epoch(finished_run: Run) -> None:
    best = read_best(finished_run.path)["state_dict"]
    for name, value in finished_run.model().state_dict().items():
        assert torch.equal(value, best[f"net.{name}"])


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
