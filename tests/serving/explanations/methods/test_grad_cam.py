from __future__ import annotations

import numpy as np
import pytest

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explanations.methods.grad_cam import GradCam
from pawsight_serving.explanations.queries import Query
from pawsight_serving.explanations.results import ClassMap
from tests.serving.explanations.methods.passes import FunctionPasses
from tests.serving.fakes import manifest

IMAGE = np.zeros((1, 8, 8, 3), np.uint8)
CAT = np.array([[0.75, 0.25]], np.float32)
MAPS = np.stack([np.full((2, 2), 1.0), np.full((2, 2), 2.0)])[None].astype(np.float32)


async def explain(query: Query, maps: np.ndarray = MAPS) -> list[ClassMap]:
    passes = FunctionPasses(lambda _: {"probabilities": CAT, "gradcam": maps})
    found = await GradCam.ask(manifest(), query).explain(IMAGE, passes)
    (of_picture,) = found.maps
    return [each for each in of_picture if isinstance(each, ClassMap)]


async def test_the_target_is_the_predicted_class_unless_one_is_named() -> None:
    (predicted,) = await explain(Query())
    assert (predicted.target, predicted.values[0, 0]) == ("cat", 1.0)
    (named,) = await explain(Query(target="dog"))
    assert (named.target, named.values[0, 0]) == ("dog", 2.0)
    both = await explain(Query(target="dog,cat"))
    assert [(each.target, each.values[0, 0]) for each in both] == [("dog", 2.0), ("cat", 1.0)]


def test_the_cheapest_graph_is_taken() -> None:
    last = GradCam.ask(manifest(), Query(layer="conv2"))
    assert (last.graph, last.outputs) == ("tiny", {"conv2": "gradcam"})
    first = GradCam.ask(manifest(), Query(layer="conv1"))
    assert (first.graph, first.outputs) == ("tiny_explain", {"conv1": "gradcam:conv1"})
    every = GradCam.ask(manifest(), Query(layer="all"))
    assert every.graph == "tiny_explain"
    assert list(every.outputs) == ["conv1", "conv2"]
    assert every.values_per_picture == 2 * (16 + 4)


async def test_a_map_of_zeros_is_no_evidence() -> None:
    assert [each.evidence for each in await explain(Query(target="all"))] == [True, True]
    (empty,) = await explain(Query(), np.zeros_like(MAPS))
    assert not empty.evidence


def test_a_layer_that_an_older_graph_lacks_is_named() -> None:
    older = manifest()
    del older.graphs["tiny_explain"].outputs["gradcam:conv1"]
    with pytest.raises(OptionInvalid, match="no gradcam:conv1"):
        GradCam.ask(older, Query(layer="all"))
