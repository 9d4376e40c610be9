"""The predictions of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.repository.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Prediction:
    """One picture's class, its probability, and those of all classes."""

    label: str
    score: float
    probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Predictions:
    """One request's predictions, in the order of its pictures, and the graph that made them."""

    model: str
    version: str
    digest: str
    predictions: Sequence[Prediction]


def read_probabilities(
    probabilities: NDArray[np.float32], classes: Sequence[str]
) -> tuple[Prediction, ...]:
    """Return the predictions in a graph's output `probabilities`, float32 [batch, classes]."""
    predictions = []
    for row in probabilities.tolist():
        score = max(row)
        predictions.append(
            Prediction(classes[row.index(score)], score, dict(zip(classes, row, strict=True)))
        )
    return tuple(predictions)


def predicted_by(manifest: Manifest, graph: str, probabilities: NDArray[np.float32]) -> Predictions:
    """Return the predictions of one pass through one of a manifest's graphs."""
    return Predictions(
        model=manifest.name,
        version=manifest.version,
        digest=manifest.graph_digest(graph),
        predictions=read_probabilities(probabilities, manifest.classes),
    )
