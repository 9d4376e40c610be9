from __future__ import annotations

import numpy as np
import pytest

from pawsight_serving.predictions import Prediction, predicted_by, read_probabilities
from tests.serving.fakes import manifest


def test_the_label_is_the_most_probable_class() -> None:
    first, second = read_probabilities(
        np.array([[0.25, 0.75], [0.5, 0.5]], np.float32), ("cat", "dog")
    )
    assert first == Prediction("dog", 0.75, {"cat": 0.25, "dog": 0.75})
    assert second.label == "cat"


def test_a_class_too_few_is_never_passed_over() -> None:
    with pytest.raises(ValueError, match="zip"):
        read_probabilities(np.array([[0.5, 0.3, 0.2]], np.float32), ("cat", "dog"))


def test_predictions_say_which_graph_made_them() -> None:
    probabilities = np.array([[1, 0]], np.float32)
    assert predicted_by(manifest(), "tiny", probabilities).digest == "sha256:" + "a" * 64
    assert predicted_by(manifest(), "tiny_explain", probabilities).digest == "sha256:" + "b" * 64
