"""Turns a method's result into explanations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pawsight_serving.explanations.results import ClassMap, Explained, Explanation
from pawsight_serving.predictions import predicted_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pawsight_serving.explanations.methods.protocol import MethodResult
    from pawsight_serving.repository.manifest import Manifest


def explanations_of(manifest: Manifest, found: MethodResult) -> list[Explanation]:
    """Return each map with the probability of its class, from the same pass."""
    return [
        Explanation(
            each,
            of_picture[manifest.classes.index(each.target)] if isinstance(each, ClassMap) else None,
        )
        for of_picture, maps in zip(found.probabilities.tolist(), found.maps, strict=True)
        for each in maps
    ]


def explained_by(
    method: str,
    manifest: Manifest,
    graph: str,
    found: MethodResult,
    explanations: Sequence[Explanation],
) -> Explained:
    """Return explanations with the predictions of the same pass, and the graph that gave both.

    Args:
        method: its name.
        manifest: of the model.
        graph: the one of its graphs that answered.
        found: what it answered.
        explanations: of it.
    """
    predictions = predicted_by(manifest, graph, found.probabilities)
    precision = manifest.arithmetic(graph)
    return Explained(method, predictions, manifest.weights_sha256, precision, tuple(explanations))
