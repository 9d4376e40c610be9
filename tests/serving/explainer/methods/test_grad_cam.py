from __future__ import annotations

import numpy as np

from pawsight_serving.explainer.explanations import Query
from pawsight_serving.explainer.methods.grad_cam import GradCam
from tests.serving.fakes import manifest

VALUES = np.stack([np.full((2, 2), 1.0), np.full((2, 2), 2.0)]).astype(np.float32)


def test_the_target_is_the_predicted_class_unless_one_is_named() -> None:
    predicted = GradCam.ask(manifest(), Query()).read(VALUES, "dog")
    assert (predicted.target, predicted.values[0, 0]) == ("dog", 2.0)
    named = GradCam.ask(manifest(), Query(target="cat")).read(VALUES, "dog")
    assert (named.target, named.values[0, 0]) == ("cat", 1.0)


def test_the_cheapest_graph_is_taken() -> None:
    last = GradCam.ask(manifest(), Query(layer="conv2"))
    assert (last.graph, last.output) == ("tiny", "gradcam")
    first = GradCam.ask(manifest(), Query(layer="conv1"))
    assert (first.graph, first.output) == ("tiny_explain", "gradcam:conv1")


def test_a_map_of_zeros_is_no_evidence() -> None:
    asked = GradCam.ask(manifest(), Query())
    assert asked.read(VALUES, "dog").evidence
    assert not asked.read(np.zeros_like(VALUES), "dog").evidence
