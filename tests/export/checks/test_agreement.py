"""Figures of agreement on outputs made by hand, and what they are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pawsight_export.checks.agreement import (
    measure_agreement,
    reference_outputs,
    refuse_disagreement,
)
from pawsight_export.errors import PrecisionInsufficient
from tests.export.conftest import SIZE, random_net

if TYPE_CHECKING:
    from pawsight_export.graphs.precisions import Precision

LABELS = np.array([0, 1, 1, 0])


def outputs(cat: list[float], maps: np.ndarray) -> dict[str, np.ndarray]:
    first = np.array(cat, np.float32)
    return {"probabilities": np.stack([first, 1 - first], axis=1), "gradcam": maps}


@pytest.fixture
def maps() -> np.ndarray:
    return np.random.default_rng(0).random((4, 2, 5, 5), np.float32)


def test_the_same_outputs_agree(maps: np.ndarray) -> None:
    same = outputs([0.9, 0.1, 0.6, 0.8], maps)
    figures = measure_agreement(same, same, LABELS)
    assert figures["accuracy"] == figures["accuracy in fp32"] == 0.75
    assert figures["label flips"] == figures["points of accuracy lost"] == 0
    assert figures["grad-cam correlation"] == pytest.approx(1)
    assert figures["grad-cam top 20 % overlap"] == 1
    for precision in ("fp16", "int8"):
        refuse_disagreement(precision, figures, "")


def test_flips_and_lost_points_are_counted(maps: np.ndarray) -> None:
    model, graph = outputs([0.9, 0.1, 0.2, 0.8], maps), outputs([0.9, 0.1, 0.6, 0.8], maps)
    figures = measure_agreement(graph, model, LABELS)
    assert figures["label flips"] == 1
    assert figures["points of accuracy lost"] == pytest.approx(25)
    assert figures["largest change of a probability"] == pytest.approx(0.4)
    with pytest.raises(PrecisionInsufficient, match=r"flips 1, allowed 0; .*pawsight export x"):
        refuse_disagreement("fp16", figures, "pawsight export x")
    with pytest.raises(PrecisionInsufficient, match=r"lost 25, allowed 0\.5"):
        refuse_disagreement("int8", figures, "")


def test_maps_are_compared_for_the_class_that_the_model_predicts(maps: np.ndarray) -> None:
    other = maps.copy()
    other[[0, 3], 1] = 7
    other[[1, 2], 0] = 7
    figures = measure_agreement(
        outputs([0.9, 0.1, 0.2, 0.8], other), outputs([0.9, 0.1, 0.2, 0.8], maps), LABELS
    )
    assert figures["grad-cam correlation, worst picture"] == pytest.approx(1)


def test_maps_that_point_elsewhere_are_refused(maps: np.ndarray) -> None:
    model, graph = outputs([0.9, 0.1, 0.2, 0.8], maps), outputs([0.9, 0.1, 0.2, 0.8], 1 - maps)
    figures = measure_agreement(graph, model, LABELS)
    assert figures["grad-cam correlation"] == pytest.approx(-1)
    assert figures["grad-cam top 20 % overlap"] == 0
    with pytest.raises(PrecisionInsufficient, match="grad-cam correlation"):
        refuse_disagreement("int8", figures, "")


def test_a_map_without_evidence_is_not_compared(maps: np.ndarray) -> None:
    empty = maps.copy()
    empty[0, 0] = 0
    figures = measure_agreement(
        outputs([0.9, 0.1, 0.2, 0.8], maps), outputs([0.9, 0.1, 0.2, 0.8], empty), LABELS
    )
    assert figures["maps compared"] == 3


def test_where_the_model_has_no_evidence_at_all_there_is_nothing_to_disagree_about(
    maps: np.ndarray,
) -> None:
    answers = [0.9, 0.1, 0.2, 0.8]
    figures = measure_agreement(outputs(answers, maps), outputs(answers, 0 * maps), LABELS)
    assert figures["maps compared"] == 0
    assert figures["grad-cam correlation"] == figures["grad-cam top 20 % overlap"] == 1
    assert figures["grad-cam correlation, worst picture"] == 1


def test_the_worst_picture_is_told(maps: np.ndarray) -> None:
    one_elsewhere = maps.copy()
    one_elsewhere[0, 0] = 1 - maps[0, 0]
    answers = [0.9, 0.1, 0.2, 0.8]
    figures = measure_agreement(outputs(answers, one_elsewhere), outputs(answers, maps), LABELS)
    assert figures["grad-cam correlation, worst picture"] == pytest.approx(-1)
    assert figures["grad-cam correlation"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("precision", "edge"),
    [
        ("fp16", {"label flips": 0, "points of accuracy lost": 0, "grad-cam correlation": 0.99}),
        ("int8", {"label flips": 4, "points of accuracy lost": 0.5, "grad-cam correlation": 0.95}),
    ],
)
def test_the_bars_are_where_they_are_said_to_be(
    precision: Precision, edge: dict[str, float]
) -> None:
    edge["pictures"] = 4
    refuse_disagreement(precision, edge, "")
    for name, beyond in (
        ("label flips", edge["label flips"] + 1),
        ("points of accuracy lost", edge["points of accuracy lost"] + 0.01),
        ("grad-cam correlation", edge["grad-cam correlation"] - 0.001),
        ("grad-cam correlation", float("nan")),
    ):
        with pytest.raises(PrecisionInsufficient, match=f"{name} .*, allowed {edge[name]:g}"):
            refuse_disagreement(precision, edge | {name: beyond}, "")


def test_the_reference_is_the_models_own_answer() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (20, *SIZE, 3), np.uint8)
    net = random_net()
    reference = reference_outputs(net, pictures, SIZE)
    assert reference["probabilities"].shape == (20, 2)
    np.testing.assert_allclose(reference["probabilities"].sum(axis=1), 1, atol=1e-6)
    assert reference["gradcam"].shape[:2] == (20, 2)
    for name, of_the_last in reference_outputs(net, pictures[-1:], SIZE).items():
        np.testing.assert_allclose(reference[name][-1:], of_the_last, rtol=1e-4, atol=1e-6)
