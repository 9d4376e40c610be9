"""How far a graph of lower precision agrees with the float32 model: answers and maps.

Rounding moves every value, so such a graph is not compared value by value. It must give the same
answers, as nearly, and point at the same places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from pawsight_export.checks.likeness import correlation, overlap
from pawsight_export.errors import PrecisionInsufficient
from pawsight_export.graphs.graphs import HotGraph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pawsight_export.graphs.precisions import Precision
    from pawsight_training.architectures import ConvNet

    Outputs = Mapping[str, NDArray[np.float32]]

_BATCH: Final = 16


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a precision must reach on the test pictures.

    Attributes:
        flips: share of the pictures whose likelier class may differ from the model's.
        lost_points: points of accuracy, of 100, that may be lost.
        correlation: that Grad-CAM must have with the model's, on average.
    """

    flips: float
    lost_points: float
    correlation: float


THRESHOLDS: Final[Mapping[Precision, Thresholds]] = {
    "fp16": Thresholds(flips=0.0, lost_points=0.0, correlation=0.99),
    "int8": Thresholds(flips=1.0, lost_points=0.5, correlation=0.95),
}


def reference_outputs(
    model: ConvNet, pictures: NDArray[np.uint8], input_size: tuple[int, int]
) -> Outputs:
    """Return the float32 model's own outputs of the hot graph, by PyTorch."""
    module = HotGraph(model, input_size).eval()
    batches = []
    with torch.inference_mode():
        for start in range(0, len(pictures), _BATCH):
            images = torch.from_numpy(np.array(pictures[start : start + _BATCH]))
            batches.append([output.numpy() for output in module(images)])
    joined = [np.concatenate(outputs) for outputs in zip(*batches, strict=True)]
    return dict(zip(module.output_names, joined, strict=True))


def measure_agreement(
    served: Outputs, reference: Outputs, labels: NDArray[np.int64]
) -> dict[str, float]:
    """Compare the outputs of a hot graph with the float32 model's.

    Maps are compared for the class that the model predicts, where the model has evidence for it.

    Args:
        served: `probabilities` [N, C] and `gradcam` [N, C, h, w] of the graph.
        reference: the same of the model.
        labels: what is true, [N].

    Returns:
        Accuracies, points lost, label flips, the largest change of a probability; mean and worst
        Pearson correlation of the maps; mean overlap of their strongest 20 %, as the share that
        both have.
    """
    ours, theirs = (each["probabilities"].argmax(axis=1) for each in (served, reference))
    accuracy, accuracy_fp32 = (float((each == labels).mean()) for each in (ours, theirs))
    rows = np.arange(len(labels))
    maps, maps_fp32 = (
        each["gradcam"][rows, theirs].reshape(len(rows), -1) for each in (served, reference)
    )
    seen = maps_fp32.max(axis=1) > 0
    correlations = [correlation(a, b) for a, b in zip(maps[seen], maps_fp32[seen], strict=True)]
    overlaps = [overlap(a, b) for a, b in zip(maps[seen], maps_fp32[seen], strict=True)]
    return {
        "pictures": float(len(rows)),
        "accuracy": accuracy,
        "accuracy in fp32": accuracy_fp32,
        "points of accuracy lost": 100 * (accuracy_fp32 - accuracy),
        "label flips": float((ours != theirs).sum()),
        "largest change of a probability": float(
            np.abs(served["probabilities"] - reference["probabilities"]).max()
        ),
        "maps compared": float(seen.sum()),
        "grad-cam correlation": float(np.mean(correlations)) if correlations else 1.0,
        "grad-cam correlation, worst picture": float(min(correlations, default=1.0)),
        "grad-cam top 20 % overlap": float(np.mean(overlaps)) if overlaps else 1.0,
    }


def refuse_disagreement(precision: Precision, figures: Mapping[str, float], repeat: str) -> None:
    """Hold the figures against the precision's bar.

    Args:
        precision: of the graph; fp32 has no bar here, as parity holds it.
        figures: from `measure_agreement`.
        repeat: the command that repeats the measurement.

    Raises:
        PrecisionInsufficient: a figure misses it.
    """
    bar = THRESHOLDS[precision]
    missed = [
        f"{name} {figures[name]:.4g}, allowed {limit:.4g}"
        for name, limit, fails in (
            (
                "label flips",
                bar.flips * figures["pictures"],
                figures["label flips"] > bar.flips * figures["pictures"],
            ),
            (
                "points of accuracy lost",
                bar.lost_points,
                figures["points of accuracy lost"] > bar.lost_points + 1e-9,
            ),
            (
                "grad-cam correlation",
                bar.correlation,
                not figures["grad-cam correlation"] >= bar.correlation,
            ),
        )
        if fails
    ]
    if missed:
        raise PrecisionInsufficient(
            f"The {precision} graph is not good enough: {'; '.join(missed)}. Nothing was "
            "published. Export it with --precision fp32, give int8 more pictures with "
            "--calibration, or train it longer: a model that is hardly sure of anything changes "
            f"its answers with every rounding. To repeat this: {repeat}"
        )
