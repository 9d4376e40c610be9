from __future__ import annotations

import numpy as np
import pytest

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.gateway.open_inference.classification import (
    check_classification,
    strongest_classes,
)
from pawsight_serving.gateway.open_inference.tensors import OutputTensor

CLASSES = ("cat", "dog", "hare")
VALUES = np.array([[0.125, 0.75, 0.125], [0.5, 0.25, 0.25]], np.float32)
PROBABILITIES = OutputTensor("probabilities", VALUES, "sha256:1")


def test_the_strongest_come_first_and_equals_in_their_own_order() -> None:
    tensor = strongest_classes(PROBABILITIES, CLASSES, 2)
    assert tensor.rows == [
        ["0.750000:1:dog", "0.125000:0:cat"],
        ["0.500000:0:cat", "0.250000:1:dog"],
    ]
    assert (tensor.name, tensor.digest, tensor.datatype) == ("probabilities", "sha256:1", "BYTES")
    assert tensor.shape == (2, 2)


def test_there_are_no_more_than_the_model_has() -> None:
    assert strongest_classes(PROBABILITIES, CLASSES, 9).shape == (2, 3)


@pytest.mark.parametrize(("output", "count"), [("probabilities", -1), ("gradcam", 1)])
def test_what_cannot_be_answered_as_classes(output: str, count: int) -> None:
    with pytest.raises(OptionInvalid, match="probabilities alone"):
        check_classification(output, count)


def test_the_probabilities_may_be_classes_and_what_asks_for_none_is_left() -> None:
    check_classification("probabilities", 1)
    check_classification("gradcam", 0)
