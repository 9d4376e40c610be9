from __future__ import annotations

import asyncio
import io
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from pawsight_serving.errors import (
    EngineUnavailable,
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
from pawsight_serving.explanations.methods.registry import METHODS, find_method
from pawsight_serving.explanations.queries import Drawing, Query
from pawsight_serving.explanations.results import ActivationMaps, ClassMap
from pawsight_serving.observability.observation import Observer, failed_with
from pawsight_serving.requests.deadlines import Deadline
from tests.serving.fakes import SIDE, FakeEngine, manifest, picture
from tests.serving.waiting import until

if TYPE_CHECKING:
    from pawsight_serving.explainer.core import Explainer
    from pawsight_serving.explainer.metrics import ExplainerMetrics
    from pawsight_serving.readiness import Readiness
    from pawsight_serving.requests.byte_budget import ByteBudget

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
    assert all(isinstance(each, ClassMap) for each in maps)
    assert [(each.layer, getattr(each, "target", "")) for each in maps] == [
        ("conv2", "dog"),
        ("conv2", "cat"),
    ]
    assert explained.predictions.digest == "sha256:" + "a" * 64


async def test_nothing_is_decoded_for_an_engine_that_is_away(
    explainer: Explainer, engine: FakeEngine
) -> None:
    engine.unreachable = True
    with pytest.raises(EngineUnavailable, match="away"):
        await explainer.explain(Query(), [b"no picture"], soon())


async def test_another_layer_comes_from_the_explain_graph(
    explainer: Explainer, engine: FakeEngine
) -> None:
    explained = await explainer.explain(Query(layer="conv1", target="cat"), [RED], soon())
    assert engine.asked == [("tiny_explain", "1", ("probabilities", "gradcam:conv1"), 1)]
    (explanation,) = explained.explanations
    assert isinstance(explanation.maps, ClassMap)
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


async def test_of_a_method_that_looks_at_the_picture_all_layers_are_the_picture(
    explainer: Explainer,
) -> None:
    explained = await explainer.explain(Query(method="occlusion", layer="all"), [RED], soon())
    assert [each.maps.layer for each in explained.explanations] == ["input"]


async def test_nothing_is_drawn_unless_asked_for(explainer: Explainer) -> None:
    (quiet,) = (await explainer.explain(Query(), [RED], soon())).explanations
    assert quiet.drawing == b""
    (drawn,) = (await explainer.explain(Query(drawing=Drawing()), [RED], soon())).explanations
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
        (Query(method="activations", channels=(1,), top=2), OptionInvalid),
        (Query(method="activations", faithfulness=True), OptionInvalid),
        (Query(layer="conv1,pool1"), LayerUnknown),
        (Query(layer="conv1,conv1"), OptionInvalid),
        (Query(layer="conv1,"), OptionInvalid),
        (Query(target="cat,mouse"), TargetUnknown),
        (Query(target="cat,cat"), OptionInvalid),
        (Query(top=3), OptionInvalid),
        (Query(samples=3), OptionInvalid),
        (Query(seed=3), OptionInvalid),
        (Query(method="rise", layer="conv1"), LayerUnknown),
        (Query(method="saliency", channels=(1,)), OptionInvalid),
        (Query(method="occlusion", samples=3), OptionInvalid),
        (Query(method="smoothgrad", samples=10_000), OptionInvalid),
    ],
)
async def test_a_bad_option_never_reaches_the_engine(
    explainer: Explainer, engine: FakeEngine, query: Query, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await explainer.explain(query, [RED], soon())
    assert engine.asked == []


@pytest.mark.parametrize(
    ("query", "option"),
    [
        (Query(layer="all,conv1"), "layer"),
        (Query(layer="all,all"), "layer"),
        (Query(method="activations", layer="pool1,all"), "layer"),
        (Query(target="cat,all"), "target"),
        (Query(target="all,all"), "target"),
    ],
)
async def test_all_among_names_is_told_apart_from_a_name_that_does_not_exist(
    explainer: Explainer, query: Query, option: str
) -> None:
    with pytest.raises(OptionInvalid, match=f"'all' means every {option}; give it alone"):
        await explainer.explain(query, [RED], soon())


async def test_a_bad_picture_is_the_callers_error(explainer: Explainer) -> None:
    with pytest.raises(ImageInvalid):
        await explainer.explain(Query(), [b"nonsense"], soon())


async def test_several_layers_and_classes_come_by_picture_then_layer_then_target(
    explainer: Explainer, engine: FakeEngine
) -> None:
    query = Query(layer="all", target="all")
    explained = await explainer.explain(query, [RED, BLUE], soon())
    outputs = ("probabilities", "gradcam:conv1", "gradcam:conv2")
    assert engine.asked == [("tiny_explain", "1", outputs, 2)]
    maps = [each.maps for each in explained.explanations if isinstance(each.maps, ClassMap)]
    order = [("conv1", "cat"), ("conv1", "dog"), ("conv2", "cat"), ("conv2", "dog")]
    assert [(each.layer, each.target) for each in maps] == order * 2
    assert [each.evidence for each in maps] == [False, True] * 2 + [True, False] * 2


async def test_every_explanation_has_the_probability_of_its_class_and_its_origin(
    explainer: Explainer, engine: FakeEngine
) -> None:
    explained = await explainer.explain(Query(target="dog,cat"), [RED], soon())
    (prediction,) = explained.predictions.predictions
    dog, cat = (each.probability for each in explained.explanations)
    assert (dog, cat) == (prediction.probabilities["dog"], prediction.probabilities["cat"])
    assert (explained.weights_sha256, explained.precision) == ("0" * 64, "fp32")


async def test_the_precision_is_that_of_the_graph_that_gave_the_map(
    explainer: Explainer, engine: FakeEngine
) -> None:
    engine.served = [manifest().model_copy(update={"precision": "int8"})]
    assert (await explainer.explain(Query(), [RED], soon())).precision == "int8"
    assert (await explainer.explain(Query(layer="conv1"), [RED], soon())).precision == "fp32"


async def test_faithfulness_is_of_maps_with_evidence_alone(
    explainer: Explainer, engine: FakeEngine
) -> None:
    query = Query(target="all", faithfulness=True)
    explained = await explainer.explain(query, [RED], soon())
    cat, dog = explained.explanations
    assert cat.faithfulness is None
    assert dog.faithfulness is not None
    assert dog.faithfulness.deletion.probabilities[0] == pytest.approx(dog.probability)
    assert dog.faithfulness.insertion.probabilities[-1] == pytest.approx(dog.probability)
    assert sum(pictures for *_, pictures in engine.asked) == 1 + 42


async def test_faithfulness_is_measured_on_the_picture_of_its_map(explainer: Explainer) -> None:
    query = Query(target="dog,cat", faithfulness=True)
    explained = await explainer.explain(query, [RED, BLUE], soon())
    dog_in_red, cat_in_red, dog_in_blue, cat_in_blue = explained.explanations
    assert cat_in_red.faithfulness is dog_in_blue.faithfulness is None
    for found in (dog_in_red, cat_in_blue):
        assert found.faithfulness is not None
        assert found.faithfulness.deletion.probabilities[0] == pytest.approx(found.probability)


async def test_without_a_name_the_default_model_answers(
    explainer: Explainer, engine: FakeEngine
) -> None:
    engine.served = [manifest("another"), manifest("cats_dogs_vgg16")]
    explained = await explainer.explain(Query(), [RED], soon())
    assert explained.predictions.model == "cats_dogs_vgg16"


async def test_a_model_that_is_broken_is_no_unknown_one(
    explainer: Explainer, engine: FakeEngine
) -> None:
    engine.unserved = {"other": EngineUnavailable("It is broken.")}
    with pytest.raises(EngineUnavailable, match="Model 'other' is broken on the server"):
        await explainer.explain(Query("other"), [RED], soon())
    with pytest.raises(EngineUnavailable, match="Model 'other' is broken on the server"):
        await explainer.infer("other_explain", "", pixels(), ["probabilities"], soon())


@pytest.mark.parametrize("graph", ["", "tiny_explain"])
async def test_an_answer_to_a_caller_is_a_sign_of_readiness(
    explainer: Explainer, engine: FakeEngine, readiness: Readiness, graph: str
) -> None:
    if graph:
        await explainer.infer(graph, "", pixels(), ["probabilities"], soon())
    else:
        await explainer.explain(Query(), [RED], soon())
    await readiness.start(lambda _: None)
    assert readiness.ready
    assert len(engine.asked) == 1, "nothing more was asked"
    await readiness.stop()


async def test_one_sheet_a_picture_instead_of_drawings(explainer: Explainer) -> None:
    query = Query(layer="all", target="all", drawing=Drawing("WEBP", sheet=True))
    explained = await explainer.explain(query, [RED, BLUE], soon())
    assert [Image.open(io.BytesIO(sheet)).format for sheet in explained.sheets] == ["WEBP"] * 2
    assert not any(each.drawing for each in explained.explanations)


async def test_one_works_another_waits_and_a_third_is_refused(
    explainer: Explainer, engine: FakeEngine
) -> None:
    engine.may_answer.clear()
    working = asyncio.create_task(explainer.explain(Query(), [RED], soon()))
    await engine.wait_asked(1)
    waiting = asyncio.create_task(explainer.explain(Query(), [BLUE], soon()))
    await asyncio.sleep(0)
    assert b"pawsight_explainer_in_flight 2.0" in explainer.metrics()
    with pytest.raises(Overloaded):
        await explainer.explain(Query(), [RED], soon())
    assert b"# TYPE pawsight_explainer_refused_total counter" in explainer.metrics()
    assert b"pawsight_explainer_refused_total 1.0" in explainer.metrics()
    assert len(engine.asked) == 1
    engine.may_answer.set()
    await asyncio.gather(working, waiting)
    assert len(engine.asked) == 2


async def test_one_who_leaves_the_queue_is_forgotten(
    explainer: Explainer, engine: FakeEngine
) -> None:
    engine.may_answer.clear()
    working = asyncio.create_task(explainer.explain(Query(), [RED], soon()))
    await engine.wait_asked(1)
    leaving = asyncio.create_task(explainer.explain(Query(), [RED], soon()))
    await asyncio.sleep(0)
    assert b"pawsight_explainer_in_flight 2.0" in explainer.metrics()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    engine.may_answer.set()
    await working
    assert len(engine.asked) == 1
    assert b"pawsight_explainer_in_flight 0.0" in explainer.metrics()


async def test_between_two_passes_a_caller_who_left_frees_the_worker(
    explainer: Explainer, engine: FakeEngine
) -> None:
    task = asyncio.create_task(explainer.explain(Query(method="occlusion"), [RED], soon()))
    await engine.wait_asked(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    asked = len(engine.asked)
    assert asked < 6, "169 squares are six batches"
    await explainer.explain(Query(), [RED], soon())
    assert len(engine.asked) == asked + 1


@pytest.mark.parametrize("max_bytes", [20_000])
async def test_what_would_hold_too_much_is_refused_before_it_is_decoded(
    explainer: Explainer, engine: FakeEngine
) -> None:
    with pytest.raises(OptionInvalid, match="fewer layers or send fewer pictures"):
        await explainer.explain(Query(method="hirescam", layer="all"), [b"no picture"] * 9, soon())
    assert engine.asked == []


@pytest.mark.parametrize("max_bytes", [100_000])
@pytest.mark.parametrize(
    ("drawing", "pictures"), [(Drawing(), 3), (Drawing(sheet=True), 1), (Drawing("WEBP"), 3)]
)
async def test_drawings_that_would_take_too_much_are_refused_before_decoding(
    explainer: Explainer, engine: FakeEngine, drawing: Drawing, pictures: int
) -> None:
    query = Query(layer="all", target="all", drawing=drawing)
    with pytest.raises(OptionInvalid, match=r"maps and drawings.*fewer layers or send fewer"):
        await explainer.explain(query, [b"no picture"] * pictures, soon())
    assert engine.asked == []


async def test_pictures_and_pixels_count_as_held_bytes(
    explainer: Explainer, engine: FakeEngine, bytes_held: ByteBudget
) -> None:
    engine.may_answer.clear()
    calls = [
        asyncio.create_task(explainer.explain(Query(), [RED], soon())),
        asyncio.create_task(
            explainer.infer("tiny_explain", "", pixels(), ["activation:conv1"], soon())
        ),
    ]
    await until(lambda: bytes_held.held == len(RED) + len(pixels()))
    with pytest.raises(Overloaded):
        await explainer.explain(Query(), [bytes(bytes_held.limit)], soon())
    engine.may_answer.set()
    await asyncio.gather(*calls)
    assert bytes_held.held == 0


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("every", [False, True])
async def test_the_shapes_that_a_method_foresees_are_those_of_its_maps(
    explainer: Explainer, name: str, every: bool
) -> None:
    of_layers = name not in {"saliency", "smoothgrad", "occlusion", "rise"}
    query = Query(
        method=name,
        layer="all" if every and of_layers else "",
        target="all" if every and name != "activations" else "",
    )
    _, method = find_method(manifest(), query)
    explained = await explainer.explain(query, [RED, BLUE], soon())
    shapes = [
        each.maps.values.shape
        if isinstance(each.maps, ClassMap)
        else (len(each.maps.channels), *each.maps.channels[0].values.shape)
        for each in explained.explanations
    ]
    assert shapes == [*method.shapes] * 2


async def test_more_values_than_are_written_out_are_refused_before_decoding(
    explainer: Explainer, engine: FakeEngine
) -> None:
    bounded = partial(Query, layer="all", target="all", max_values=80)
    with pytest.raises(OptionInvalid, match="has 120 numbers, and at most 80"):
        await explainer.explain(bounded(), [b"no picture"] * 3, soon())
    assert engine.asked == []
    await explainer.explain(bounded(), [RED, BLUE], soon())


async def test_the_stages_are_timed(explainer: Explainer, metrics: ExplainerMetrics) -> None:
    with Observer(metrics).request("grpc", "explain", "one"):
        await explainer.explain(Query(drawing=Drawing()), [RED], soon())
    for stage in ("queue", "decode", "inference", "render"):
        name = f'pawsight_explainer_stage_seconds_count{{stage="{stage}"}} 1.0'
        assert name.encode() in explainer.metrics()


@pytest.mark.parametrize(
    ("query", "data", "method", "code"),
    [
        (Query(), RED, "grad-cam", "OK"),
        (Query(method="occlusion"), RED, "occlusion", "OK"),
        (Query(method="occlusion"), b"none", "occlusion", "IMAGE_INVALID"),
        (Query(method="unheard of"), RED, "grad-cam", "OPTION_INVALID"),
    ],
)
async def test_outcomes_are_counted_by_method_and_code(
    explainer: Explainer,
    metrics: ExplainerMetrics,
    query: Query,
    data: bytes,
    method: str,
    code: str,
) -> None:
    with Observer(metrics).request("grpc", "explain", "one"):
        try:
            await explainer.explain(query, [data], soon())
        except RequestError as error:
            failed_with(error.code)
    counted = f'pawsight_explainer_requests_total{{code="{code}",method="{method}"}} 1.0'
    assert counted.encode() in explainer.metrics()


def pixels(pictures: int = 1) -> bytes:
    red = np.zeros((pictures, SIDE, SIDE, 3), np.uint8)
    red[..., 0] = 255
    return red.tobytes()


async def test_all_outputs_of_a_graph_can_be_asked_for(
    explainer: Explainer, engine: FakeEngine
) -> None:
    names = tuple(manifest().graphs["tiny_explain"].outputs)
    outputs = await explainer.infer("tiny_explain", "", pixels(), names, soon())
    assert tuple(outputs.values) == names


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
