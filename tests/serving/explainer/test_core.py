from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from pawsight_serving.deadlines import Deadline
from pawsight_serving.errors import (
    ImageInvalid,
    ImageMissing,
    LayerUnknown,
    ModelNotFound,
    OptionInvalid,
    Overloaded,
    RequestError,
    TargetUnknown,
    VersionNotFound,
)
from pawsight_serving.explainer.explanations import ActivationMaps, GradCamMap, Query
from tests.serving.fakes import SIDE, FakeEngine, manifest, picture

if TYPE_CHECKING:
    from pawsight_serving.explainer.core import Explainer

RED, BLUE = picture("red"), picture("blue")


def soon() -> Deadline:
    return Deadline.after(10)


async def test_by_default_grad_cam_of_the_last_layer_from_the_hot_graph(
    explainer: Explainer, engine: FakeEngine
) -> None:
    explained = await explainer.explain(Query(), [RED, BLUE], soon())
    assert engine.asked == [("tiny", "1", ("probabilities", "gradcam"), 2)]
    assert explained.method == "grad-cam"
    assert [each.label for each in explained.predictions.predictions] == ["dog", "cat"]
    maps = [each.maps for each in explained.explanations]
    assert all(isinstance(each, GradCamMap) for each in maps)
    assert [(each.layer, getattr(each, "target", "")) for each in maps] == [
        ("conv2", "dog"),
        ("conv2", "cat"),
    ]
    assert explained.predictions.digest == "sha256:" + "a" * 64


async def test_another_layer_comes_from_the_explain_graph(
    explainer: Explainer, engine: FakeEngine
) -> None:
    explained = await explainer.explain(Query(layer="conv1", target="cat"), [RED], soon())
    assert engine.asked == [("tiny_explain", "1", ("probabilities", "gradcam:conv1"), 1)]
    (explanation,) = explained.explanations
    assert isinstance(explanation.maps, GradCamMap)
    assert not explanation.maps.evidence
    assert not explanation.maps.values.any()
    assert explained.predictions.digest == "sha256:" + "b" * 64


async def test_a_version_that_the_gateway_saw_first_is_caught_up_with(
    explainer: Explainer, engine: FakeEngine
) -> None:
    engine.soon = [manifest(version="2"), manifest(version="3")]
    explained = await explainer.explain(Query("tiny", "2"), [RED], soon())
    assert explained.predictions.version == "2"
    pixels = np.zeros((1, SIDE, SIDE, 3), np.uint8).tobytes()
    await explainer.infer("tiny_explain", "3", pixels, ["gradcam:conv1"], soon())
    assert engine.asked[-1][:2] == ("tiny_explain", "3")
    with pytest.raises(VersionNotFound, match="1, 2, 3"):
        await explainer.explain(Query("tiny", "4"), [RED], soon())


async def test_activations(explainer: Explainer, engine: FakeEngine) -> None:
    query = Query(method="activations", layer="pool1", channels=(3, 1))
    explained = await explainer.explain(query, [RED], soon())
    assert engine.asked == [("tiny_explain", "1", ("probabilities", "activation:pool1"), 1)]
    (explanation,) = explained.explanations
    assert isinstance(explanation.maps, ActivationMaps)
    assert [each.channel for each in explanation.maps.channels] == [3, 1]
    np.testing.assert_array_equal(explanation.maps.channels[0].values, np.full((2, 2), 3.0))


async def test_nothing_is_drawn_unless_asked_for(explainer: Explainer) -> None:
    (quiet,) = (await explainer.explain(Query(), [RED], soon())).explanations
    assert quiet.drawing == b""
    (drawn,) = (await explainer.explain(Query(draw=True), [RED], soon())).explanations
    assert Image.open(io.BytesIO(drawn.drawing)).size == (32, 24)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (Query(model="x"), ModelNotFound),
        (Query(method="lime"), OptionInvalid),
        (Query(layer="x"), LayerUnknown),
        (Query(layer="pool1"), LayerUnknown),
        (Query(target="mouse"), TargetUnknown),
        (Query(channels=(1,)), OptionInvalid),
        (Query(method="activations", layer="x"), LayerUnknown),
        (Query(method="activations", target="cat"), OptionInvalid),
        (Query(method="activations", layer="conv1", channels=(20,)), OptionInvalid),
        (Query(method="activations", layer="conv1", channels=(1, 1)), OptionInvalid),
    ],
)
async def test_a_bad_option_never_reaches_the_engine(
    explainer: Explainer, engine: FakeEngine, query: Query, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await explainer.explain(query, [RED], soon())
    assert engine.asked == []


async def test_a_bad_picture_is_the_callers_error(explainer: Explainer) -> None:
    with pytest.raises(ImageInvalid):
        await explainer.explain(Query(), [b"nonsense"], soon())


async def test_beyond_the_bound_a_request_is_refused(
    explainer: Explainer, engine: FakeEngine
) -> None:
    engine.may_answer.clear()
    waiting = asyncio.create_task(explainer.explain(Query(), [RED], soon()))
    await engine.wait_asked(1)
    with pytest.raises(Overloaded):
        await explainer.explain(Query(), [RED], soon())
    engine.may_answer.set()
    await waiting


def pixels(pictures: int = 1) -> bytes:
    red = np.zeros((pictures, SIDE, SIDE, 3), np.uint8)
    red[..., 0] = 255
    return red.tobytes()


async def test_outputs_of_a_graph_as_they_are(explainer: Explainer, engine: FakeEngine) -> None:
    names = ("gradcam:conv1", "probabilities")
    outputs = await explainer.infer("tiny_explain", "", pixels(2), names, soon())
    assert engine.asked == [("tiny_explain", "1", names, 2)]
    assert outputs.digest == "sha256:" + "b" * 64
    assert outputs.values["probabilities"].argmax(axis=1).tolist() == [1, 1]
    assert outputs.values["gradcam:conv1"].shape == (2, 2, 4, 4)


@pytest.mark.parametrize(
    ("graph", "data", "names", "error"),
    [
        ("other_explain", pixels(), ("probabilities",), ModelNotFound),
        ("tiny_explain", pixels(), (), OptionInvalid),
        ("tiny_explain", pixels(), ("gradcam",), OptionInvalid),
        ("tiny", pixels(), ("gradcam:conv1",), OptionInvalid),
        ("tiny_explain", pixels()[:-1], ("probabilities",), OptionInvalid),
        ("tiny_explain", b"", ("probabilities",), ImageMissing),
        ("tiny_explain", pixels(65), ("probabilities",), RequestError),
    ],
)
async def test_what_cannot_be_inferred_never_reaches_the_engine(
    explainer: Explainer,
    engine: FakeEngine,
    graph: str,
    data: bytes,
    names: tuple[str, ...],
    error: type[Exception],
) -> None:
    with pytest.raises(error):
        await explainer.infer(graph, "", data, names, soon())
    assert engine.asked == []
