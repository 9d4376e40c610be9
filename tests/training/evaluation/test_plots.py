from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from PIL import Image

from pawsight_training.data.dataset import Split
from pawsight_training.evaluation import plots
from pawsight_training.evaluation.evaluation import Evaluation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from matplotlib.figure import Figure
    from matplotlib.text import Text

SECOND = np.array([0.9, 0.8, 0.4, 0.3, 0.2], dtype=np.float32)
LABELS = np.array([1, 0, 1, 0, 0])
MEASURED = Evaluation(np.stack([1 - SECOND, SECOND], axis=1), LABELS)
CLASSES = ("cat", "dog")


def test_the_running_average_is_the_lectures() -> None:
    assert plots.smoothed([1.0, 0.0, 0.0]) == pytest.approx([1.0, 0.8, 0.64])
    assert plots.smoothed([]) == []


def test_learning_curves_show_raw_and_smoothed_values() -> None:
    rows = [
        {
            "epoch": float(epoch),
            **{f"{split}_accuracy": 0.1 * epoch for split in ("train", "validation")},
            **{f"{split}_loss": 1 / epoch for split in ("train", "validation")},
        }
        for epoch in (1, 2, 3)
    ]
    accuracy, loss = plots.learning_curves(rows).axes
    raw, smooth = (np.asarray(line.get_ydata()) for line in accuracy.lines[:2])
    assert raw.tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert smooth.tolist() == pytest.approx(plots.smoothed([0.1, 0.2, 0.3]))
    assert loss.get_ylabel() == "loss"


def test_the_confusion_matrix_carries_its_counts() -> None:
    (axes,) = plots.confusion_matrix(MEASURED, CLASSES).axes
    assert [text.get_text() for text in axes.texts] == ["2", "1", "1", "1"]


def test_two_classes_have_one_curve_and_three_have_three() -> None:
    (axes,) = plots.roc(MEASURED, CLASSES).axes
    assert axes.get_title() == "ROC, area 0.8333"
    assert [line.get_label() for line in axes.lines[:-1]] == ["dog"]
    thirds = np.full((6, 3), 1 / 3, dtype=np.float32)
    (axes,) = plots.roc(Evaluation(thirds, np.array([0, 1, 2] * 2)), ("a", "b", "c")).axes
    assert [line.get_label() for line in axes.lines[:-1]] == ["a", "b", "c"]


def test_the_calibration_curve_compares_sureness_with_being_right() -> None:
    upper, lower = plots.calibration(MEASURED).axes
    sure, right = (np.asarray(values) for values in upper.lines[0].get_data())
    assert sure.tolist() == pytest.approx([0.6, 0.7, 0.8, 0.9], abs=0.01)
    assert right.tolist() == [0, 1, 0.5, 1]
    assert sum(patch.get_height() for patch in lower.patches if isinstance(patch, Rectangle)) == 5


def test_figures_are_saved_large_enough_for_a_class_and_name_their_axes(tmp_path: Path) -> None:
    figure = plots.confusion_matrix(MEASURED, CLASSES)
    figure.savefig(tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as saved:
        assert saved.size == (675, 600)
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    upper, lower = plots.calibration(MEASURED).axes
    assert (lower.get_xlabel(), upper.get_ylabel()) == ("confidence", "accuracy")


def test_mistakes_are_shown_the_worst_first() -> None:
    split = Split(
        pictures=np.zeros((5, 8, 8, 3), np.uint8),
        labels=LABELS,
        names=tuple(f"drawn/{index}.jpg" for index in range(5)),
        digest="",
    )
    axes = plots.mistakes(MEASURED, split, CLASSES).axes
    filled = [(a.get_xlabel(), a.get_title()) for a in axes if a.images]
    assert filled == [("1.jpg", "dog 80.0%, is cat"), ("2.jpg", "cat 60.0%, is dog")]
    assert len(axes) == 4, "two pictures need one row"


def apart(figure: Figure, texts: Iterable[Text]) -> bool:
    """Return whether the texts, where they are drawn, neither overlap nor leave the figure."""
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in texts]
    inside = all(figure.bbox.contains(*corner) for box in boxes for corner in box.corners())
    return inside and not any(one.overlaps(other) for one, other in combinations(boxes, 2))


LONG = ("European shorthair cat", "Nova_Scotia_duck_tolling_retriever", "Basset Fauve de Bretagne")


@pytest.mark.parametrize("names", [CLASSES, LONG[:2], LONG])
def test_the_names_of_classes_stand_apart(names: Sequence[str]) -> None:
    labels = np.array([*range(len(names))] * 2)
    chances = np.roll(np.eye(len(names), dtype=np.float32), 1, axis=1)[labels]
    measured = Evaluation(chances, labels)
    split = Split(np.zeros((6, 8, 8, 3), np.uint8), labels, ("a/" + "long" * 9,) * 6, "")
    mistakes = plots.mistakes(measured, split, names)
    assert apart(mistakes, [axes.title for axes in mistakes.axes if axes.images])
    assert apart(mistakes, [axes.xaxis.label for axes in mistakes.axes if axes.images])
    matrix = plots.confusion_matrix(measured, names)
    (axes,) = matrix.axes
    assert apart(matrix, [*axes.get_xticklabels(), *axes.get_yticklabels()])


def test_names_are_drawn_as_they_are(tmp_path: Path) -> None:
    # As TeX it is half a formula, which matplotlib refuses.
    names = ("a $_{$ cat", "dog")
    for figure in (plots.confusion_matrix(MEASURED, names), plots.roc(MEASURED, names[::-1])):
        figure.savefig(tmp_path / "figure.png")


def test_names_in_any_script_are_no_boxes(tmp_path: Path) -> None:
    # Matplotlib warns of what it has no font for.
    names = ("猫", "Hündin")
    split = Split(np.zeros((5, 8, 8, 3), np.uint8), LABELS, ("a/猫.jpg", *"bcde"), "")
    for figure in (
        plots.confusion_matrix(MEASURED, names),
        plots.roc(MEASURED, names[::-1]),
        plots.mistakes(MEASURED, split, names),
    ):
        figure.savefig(tmp_path / "figure.png")
