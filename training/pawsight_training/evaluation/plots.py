"""The figures of a report, as matplotlib draws them."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator, PercentFormatter
from torchmetrics.functional.classification import multiclass_roc

from pawsight_serving.fonts import drawable, families
from pawsight_training.evaluation.evaluation import CALIBRATION_BINS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pawsight_training.data.dataset import Split
    from pawsight_training.evaluation.evaluation import Evaluation
    from pawsight_training.runs.history import Row

SMOOTHING: Final = 0.8
WORST: Final = 12
DPI: Final = 150
# In characters: what stands above one of four pictures side by side, and below a matrix.
TITLE: Final = 22
AXIS: Final = 36


def learning_curves(rows: Sequence[Row]) -> Figure:
    """Draw accuracy and loss by epoch: each as it was, and as a running average over epochs.

    The average is the lecture's: each point is 0.8 of the one before and 0.2 of its own value.
    """
    figure = _figure(10, 4)
    epochs = [row["epoch"] for row in rows]
    for axes, quantity in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        for split, colour in (("train", "tab:blue"), ("validation", "tab:orange")):
            values = [row[f"{split}_{quantity}"] for row in rows]
            axes.plot(epochs, values, ".-", color=colour, alpha=0.4, linewidth=1)
            axes.plot(epochs, smoothed(values), color=colour, label=split)
        axes.set(xlabel="epoch", ylabel=quantity, title=f"{quantity} by epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(title="thick: running average")
    return _with_names_as_they_are(figure)


def smoothed(values: Sequence[float]) -> list[float]:
    """Return the exponential running average of the values."""
    points: list[float] = []
    for value in values:
        last = points[-1] if points else value
        points.append(last * SMOOTHING + value * (1 - SMOOTHING))
    return points


def confusion_matrix(evaluation: Evaluation, classes: Sequence[str]) -> Figure:
    """Draw how many pictures of each class were taken for which."""
    figure = _figure(4.5, 4)
    axes = figure.subplots()
    counts = evaluation.confusion
    shares = counts / counts.sum(axis=1, keepdims=True)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour)
    names = [_folded(name) for name in classes]
    beside = len(names) * max(len(line) for name in names for line in name.splitlines()) <= AXIS
    axes.set_xticks(range(len(classes)), names, rotation="horizontal" if beside else "vertical")
    axes.set_yticks(range(len(classes)), names)
    title = f"confusion matrix, accuracy {evaluation.metrics['accuracy']:.1%}"
    axes.set(xlabel="predicted class", ylabel="true class", title=title)
    return _with_names_as_they_are(figure)


def roc(evaluation: Evaluation, classes: Sequence[str]) -> Figure:
    """Draw the ROC curve of each class against the rest; of two classes, the second alone."""
    figure = _figure(4.5, 4)
    axes = figure.subplots()
    rates = multiclass_roc(
        torch.from_numpy(evaluation.probabilities),
        torch.from_numpy(evaluation.labels),
        num_classes=len(classes),
    )
    for index in range(1 if len(classes) == 2 else 0, len(classes)):
        axes.plot(rates[0][index], rates[1][index], label=drawable(classes[index]))
    axes.plot((0, 1), (0, 1), ":", color="grey")
    axes.set(
        xlabel="false positive rate",
        ylabel="true positive rate",
        title=f"ROC, area {evaluation.metrics['roc_auc']:.4f}",
    )
    axes.legend(title="positive class")
    return _with_names_as_they_are(figure)


def calibration(evaluation: Evaluation) -> Figure:
    """Draw how often the model is right where it is so sure, and how many pictures that is."""
    figure = _figure(4.5, 4.5)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    confidence = evaluation.probabilities.max(axis=1)
    right = evaluation.predicted == evaluation.labels
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    bins = np.clip(np.digitize(confidence, edges) - 1, 0, CALIBRATION_BINS - 1)
    filled = np.unique(bins)
    sure = [confidence[bins == index].mean() for index in filled]
    upper.plot(sure, [right[bins == index].mean() for index in filled], "o-")
    upper.plot((0, 1), (0, 1), ":", color="grey")
    upper.set(
        ylabel="accuracy", title=f"calibration error {evaluation.metrics['calibration_error']:.4f}"
    )
    lower.hist(confidence, bins=edges.tolist())
    lower.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    lower.set(
        xlabel="confidence", ylabel="pictures", xlim=(1 / evaluation.probabilities.shape[1], 1)
    )
    for axis in (lower.xaxis, upper.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    return _with_names_as_they_are(figure)


def mistakes(evaluation: Evaluation, split: Split, classes: Sequence[str]) -> Figure:
    """Draw the pictures that it got most wrong, the worst first."""
    order = np.argsort(evaluation.true_probabilities, kind="stable")
    wrong = [row for row in order if evaluation.predicted[row] != evaluation.labels[row]][:WORST]
    rows = math.ceil(len(wrong) / 4)
    figure = _figure(10, rows * 8 / 3)
    for axes, row in zip(figure.subplots(rows, 4).flat, wrong, strict=False):
        axes.imshow(split.pictures[row])
        said, score = evaluation.predicted[row], evaluation.probabilities[row].max()
        right = classes[evaluation.labels[row]]
        axes.set_title(_folded(f"{classes[said]} {score:.1%}, is {right}"))
        axes.set_xlabel(_folded(split.names[row].rpartition("/")[2]), fontsize=8)
    for axes in figure.axes:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_frame_on(bool(axes.images))
    return _with_names_as_they_are(figure)


def _folded(text: str) -> str:
    """Return a text in lines so short that it does not reach into what stands beside it."""
    return textwrap.fill(drawable(text), TITLE)


def _figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches, large enough to be shown to a class."""
    # Set later, the resolution is not the one that it is saved with.
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def _with_names_as_they_are(figure: Figure) -> Figure:
    """Show a figure's names as they are, in any script.

    A class or a file may have a dollar sign in its name, which matplotlib would read as TeX.
    """
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    fonts = families(text.get_text() for text in texts)
    for text in texts:
        text.set_parse_math(False)
        text.set_fontfamily(fonts)
    return figure
