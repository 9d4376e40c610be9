from __future__ import annotations

import numpy as np
import pytest

from pawsight_serving.explanations.methods.registry import find_method
from pawsight_serving.explanations.methods.saliency import saliency_map
from pawsight_serving.explanations.queries import Query
from tests.serving.fakes import manifest

# Red, green and blue of three pixels, in each of which another colour is the strongest.
PIXELS = np.array([[[-3], [1], [0]], [[2], [4], [-1]], [[0], [-2], [-5]]], np.float32)


@pytest.mark.parametrize("target", [0, 1])
def test_with_one_logit_both_classes_have_the_largest_magnitude_of_the_colours(target: int) -> None:
    found = saliency_map(PIXELS[np.newaxis], target)
    assert found.tolist() == [[3], [4], [5]]
    assert found.dtype == np.float32


@pytest.mark.parametrize(("target", "largest"), [(0, [[3], [4], [5]]), (1, [[6], [8], [10]])])
def test_with_a_logit_for_each_class_the_class_has_its_own(
    target: int, largest: list[list[int]]
) -> None:
    both = np.stack([PIXELS, 2 * PIXELS])
    assert saliency_map(both, target).tolist() == largest
    assert both.min() < 0  # what the engine answered is as it was


def test_the_gradient_the_maps_and_one_colour_are_foreseen() -> None:
    _, method = find_method(manifest(), Query(method="saliency", target="all"))
    assert method.values_per_picture == (3 + 2 + 1) * 8 * 8
