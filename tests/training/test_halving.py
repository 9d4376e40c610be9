from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from pawsight_training.errors import RunInvalid
from pawsight_training.evaluation import evaluate_model
from pawsight_training.halving import write_half
from pawsight_training.run import WEIGHTS
from pawsight_training.weights import read_weights

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_training.dataset import Dataset
    from pawsight_training.run import Run


def test_half_a_run_is_a_run_that_answers_the_same(
    finished_run: Run, data: Dataset, tmp_path: Path
) -> None:
    half = write_half(finished_run, tmp_path / "half")
    sizes = [(run.path / WEIGHTS).stat().st_size for run in (finished_run, half)]
    assert sizes[1] < 0.52 * sizes[0]
    net = half.model()
    assert {value.dtype for value in net.state_dict().values()} == {torch.float32}
    assert net.normalise.std.flatten().tolist() == [255.0] * 3
    answers = [
        evaluate_model(run.model(), data.splits["test"]).probabilities
        for run in (finished_run, half)
    ]
    assert abs(answers[0] - answers[1]).max() < 0.01
    assert read_weights(str(half.path)).has_head


def test_a_folder_that_is_there_is_left_alone(finished_run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunInvalid, match="cannot be written"):
        write_half(finished_run, tmp_path)
    assert not list(tmp_path.iterdir())
