"""A method holds what it foresees: by that figure a request is refused that is too large."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from pawsight_serving.explanations.methods.registry import find_method
from pawsight_serving.explanations.queries import Query
from tests.serving.explanations.methods.passes import FunctionPasses
from tests.serving.fakes import manifest

SIDE = 150


def answer(images: np.ndarray) -> dict[str, np.ndarray]:
    return {"probabilities": np.full((len(images), 2), 0.5, np.float32)}


def gradients(images: np.ndarray) -> dict[str, np.ndarray]:
    return answer(images) | {"gradient:input": np.ones((len(images), 1, 3, SIDE, SIDE), np.float32)}


@pytest.mark.parametrize(
    ("name", "samples"), [("occlusion", 0), ("rise", 96), ("smoothgrad", 24), ("smoothgrad", 256)]
)
async def test_a_method_of_many_passes_holds_no_more_than_it_foresees(
    name: str, samples: int
) -> None:
    large = manifest().model_copy(update={"input_size": (SIDE, SIDE)})
    large.graphs["tiny_explain"].outputs["gradient:input"] = (1, 3, SIDE, SIDE)
    _, method = find_method(large, Query(method=name, samples=samples, target="cat"))
    image = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)
    passes = FunctionPasses(gradients if name == "smoothgrad" else answer)
    tracemalloc.start()
    try:
        found = await method.explain(image, passes)
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found.maps[0]) == 1
    foreseen = 4 * method.values_per_picture
    # Whatever Python itself takes is little beside it.
    assert 0.5 * foreseen < held < 1.05 * foreseen
