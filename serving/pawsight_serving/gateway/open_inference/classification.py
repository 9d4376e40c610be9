"""The protocol's classification extension: an output as the names of its strongest classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.gateway.open_inference.tensors import ClassesTensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pawsight_serving.gateway.open_inference.tensors import OutputTensor

CLASSIFIED: Final = "probabilities"
"""The one output with a value for each class."""


def check_classification(output: str, count: int) -> None:
    """Refuse what cannot be answered as classes.

    Raises:
        OptionInvalid: another output than the probabilities, or a negative number of classes.
    """
    if count < 0 or (count and output != CLASSIFIED):
        raise OptionInvalid(
            f"Classification answers the output {CLASSIFIED} alone, by a number of classes from 1; "
            "read other outputs as they are."
        )


def strongest_classes(
    probabilities: OutputTensor, classes: Sequence[str], count: int
) -> ClassesTensor:
    """Return an output [N, C] as its strongest classes, [N, count], the strongest first.

    Each is written as Triton does: the value, the number of the class and its name, with colons
    between them. There are no more than the model has classes.
    """
    strongest = np.argsort(-probabilities.values, axis=1, kind="stable")[:, :count]
    rows = [
        [f"{values[number]:f}:{number}:{classes[number]}" for number in numbers]
        for values, numbers in zip(probabilities.values.tolist(), strongest.tolist(), strict=True)
    ]
    return ClassesTensor(probabilities.name, rows, probabilities.digest)
