"""A method holds what it foresees: by that figure a request is refused that is too large."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from pawsight_serving.explanations.methods.registry import find_method
from pawsight_serving.explanations.queries import Query
from pawsight_serving.repository.manifest import Layer
from tests.serving.explanations.methods.passes import FunctionPasses
from tests.serving.fakes import manifest

SIDE = 150
LAYER = Layer(name="conv1", kind="conv", channels=128, height=SIDE, width=SIDE)
SHAPES = {
    "activation:conv1": (128, SIDE, SIDE),
    "gradient:conv1": (1, 128, SIDE, SIDE),
    "gradient:input": (1, 3, SIDE, SIDE),
}


async def held_and_foreseen(query: Query, *outputs: str) -> tuple[int, int]:
    """Return how many bytes are held for a picture, and foreseen; `outputs` are the graph's."""
    large = manifest().model_copy(update={"input_size": (SIDE, SIDE), "layers": (LAYER,)})
    large.graphs["tiny_explain"].outputs.update(SHAPES)
    _, method = find_method(large, query)

    def answer(images: np.ndarray) -> dict[str, np.ndarray]:
        count = len(images)
        values = {name: np.ones((count, *SHAPES[name]), np.float32) for name in outputs}
        return {"probabilities": np.full((count, 2), 0.5, np.float32), **values}

    image = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)
    passes = FunctionPasses(answer)
    tracemalloc.start()
    try:
        found = await method.explain(image, passes)
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found.maps[0]) == len(method.shapes)
    return held, 4 * method.values_per_picture


@pytest.mark.parametrize(
    ("name", "samples"), [("occlusion", 0), ("rise", 96), ("smoothgrad", 24), ("smoothgrad", 256)]
)
async def test_a_method_of_many_passes_holds_no_more_than_it_foresees(
    name: str, samples: int
) -> None:
    query = Query(method=name, samples=samples, target="cat")
    outputs = ["gradient:input"] if name == "smoothgrad" else []
    held, foreseen = await held_and_foreseen(query, *outputs)
    # Whatever Python itself takes is little beside it.
    assert 0.5 * foreseen < held < 1.05 * foreseen


@pytest.mark.parametrize("target", ["cat", "all"])
@pytest.mark.parametrize("name", ["hirescam", "layercam", "grad-cam++", "saliency"])
async def test_a_method_of_one_pass_holds_no_more_than_it_foresees(name: str, target: str) -> None:
    outputs = ["gradient:input"] if name == "saliency" else ["activation:conv1", "gradient:conv1"]
    held, foreseen = await held_and_foreseen(Query(method=name, target=target), *outputs)
    assert 0.9 * foreseen < held < 1.05 * foreseen
