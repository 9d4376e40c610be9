from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pawsight_serving.errors import (
    EngineUnavailable,
    ExplainerUnavailable,
    ImageInvalid,
    ImageMissing,
    ModelNotFound,
    OptionInvalid,
    Overloaded,
    RequestError,
    VersionNotFound,
)
from pawsight_serving.gateway.open_inference.tensors import (
    InferenceRequest,
    InputTensor,
    OutputTensor,
)
from pawsight_serving.requests.calls import Call
from pawsight_serving.requests.deadlines import Deadline
from tests.serving.fakes import SIDE, FakeEngine, manifest, picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pawsight_serving.gateway.open_inference.core import OpenInference
    from pawsight_serving.gateway.open_inference.tensors import InferenceResult
    from pawsight_serving.observability.observation import Observer
    from pawsight_serving.predictions import Predictions
    from pawsight_serving.readiness import Readiness
    from tests.serving.gateway.conftest import FakeSidecar

RED, BLUE = picture("red"), picture("blue")


def call() -> Call:
    return Call("id", Deadline.after(10))


def asked(
    *outputs: str, model: str = "tiny", pictures: tuple[bytes, ...] = (RED,)
) -> InferenceRequest:
    return InferenceRequest(
        model, "", [InputTensor("image", "BYTES", (len(pictures),), pictures)], outputs
    )


def pixels(pictures: int = 1) -> InputTensor:
    blue = np.zeros((pictures, SIDE, SIDE, 3), np.uint8)
    blue[..., 2] = 255
    return InputTensor("image", "UINT8", blue.shape, blue.ravel())


def values_of(answered: InferenceResult) -> list[NDArray[np.float32]]:
    """Return the outputs, none of which was asked for as classes."""
    return [output.values for output in answered.outputs if isinstance(output, OutputTensor)]


async def test_without_a_choice_all_of_the_hot_graph(
    open_inference: OpenInference, engine: FakeEngine, sidecar: FakeSidecar
) -> None:
    answered = await open_inference.infer(asked(pictures=(RED, BLUE)), call())
    assert (answered.model, answered.version) == ("tiny", "1")
    assert [output.name for output in answered.outputs] == ["probabilities", "gradcam"]
    probabilities, gradcam = values_of(answered)
    assert probabilities.argmax(axis=1).tolist() == [1, 0]
    assert gradcam.shape == (2, 2, 2, 2)
    assert answered.outputs[0].digest == "sha256:" + "a" * 64
    assert engine.asked[-1] == ("tiny", "1", ("probabilities", "gradcam"), 2)
    assert sidecar.asked == []


async def test_a_version_that_goes_meanwhile_is_replaced_by_the_newest(
    open_inference: OpenInference, engine: FakeEngine
) -> None:
    versions = [manifest(version="1"), manifest(version="2")]
    engine.served, engine.withdrawn = versions, versions[1:]
    assert (await open_inference.infer(asked(), call())).version == "1"
    engine.served = versions
    with pytest.raises(VersionNotFound):
        await open_inference.infer(InferenceRequest("tiny", "2", [pixels()], ()), call())


async def test_outputs_of_both_graphs_come_in_the_order_asked_for(
    open_inference: OpenInference, engine: FakeEngine, sidecar: FakeSidecar
) -> None:
    names = ("gradcam:conv1", "probabilities", "activation:pool1")
    answered = await open_inference.infer(asked(*names), call())
    assert tuple(output.name for output in answered.outputs) == names
    assert [output.digest[:8] for output in answered.outputs] == [
        "sha256:s",
        "sha256:a",
        "sha256:s",
    ]
    assert engine.asked[-1] == ("tiny", "1", ("probabilities",), 1)
    assert sidecar.engine.asked == [("tiny_explain", "1", ("gradcam:conv1", "activation:pool1"), 1)]
    assert sidecar.asked[0].request_id == "id"


async def test_the_explain_graph_is_the_sidecars_alone(
    open_inference: OpenInference, engine: FakeEngine, sidecar: FakeSidecar
) -> None:
    hot = len(engine.asked)
    answered = await open_inference.infer(asked("probabilities", model="tiny_explain"), call())
    assert answered.model == "tiny_explain"
    assert len(engine.asked) == hot
    assert sidecar.engine.asked == [("tiny_explain", "1", ("probabilities",), 1)]


async def test_pixels_are_taken_as_they_are(open_inference: OpenInference) -> None:
    answered = await open_inference.infer(InferenceRequest("tiny", "", [pixels(2)]), call())
    assert values_of(answered)[0].argmax(axis=1).tolist() == [0, 0]


async def test_an_output_asked_for_twice_is_answered_once(open_inference: OpenInference) -> None:
    answered = await open_inference.infer(asked("gradcam", "gradcam"), call())
    assert [output.name for output in answered.outputs] == ["gradcam"]


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (asked(model="other"), ModelNotFound),
        (InferenceRequest("tiny", "9", [pixels()]), VersionNotFound),
        (asked("logits"), OptionInvalid),
        (asked("gradcam", model="tiny_explain"), OptionInvalid),
        (InferenceRequest("tiny", "", []), ImageMissing),
        (asked(pictures=()), ImageMissing),
        (InferenceRequest("tiny", "", [pixels(0)]), ImageMissing),
        (asked(pictures=(RED,) * 4), RequestError),
        (InferenceRequest("tiny", "", [pixels(4)]), RequestError),
        (asked(pictures=(b"nonsense",)), ImageInvalid),
    ],
)
async def test_what_cannot_be_asked(
    open_inference: OpenInference,
    engine: FakeEngine,
    request_: InferenceRequest,
    error: type[Exception],
) -> None:
    before = len(engine.asked)
    with pytest.raises(error):
        await open_inference.infer(request_, call())
    assert len(engine.asked) == before


async def test_one_bad_picture_fails_the_call_and_is_named(open_inference: OpenInference) -> None:
    with pytest.raises(ImageInvalid, match=r"^Picture 2: "):
        await open_inference.infer(asked(pictures=(RED, b"nonsense", BLUE)), call())


async def test_an_answer_that_would_be_too_large_is_not_computed(
    open_inference: OpenInference, sidecar: FakeSidecar
) -> None:
    # conv1: 20 channels of 4x4 floats are 1280 bytes a picture.
    await open_inference.infer(asked("activation:conv1", pictures=(RED,) * 3), call())
    larger = asked("activation:conv1", "activation:pool1", "gradcam:conv1", pictures=(RED,) * 3)
    with pytest.raises(OptionInvalid, match="5184 bytes; at most 5000"):
        await open_inference.infer(larger, call())
    assert len(sidecar.asked) == 1


async def test_crowds_at_the_engine_and_at_the_sidecar_keep_each_other_out_of_nothing(
    open_inference: OpenInference, sidecar: FakeSidecar
) -> None:
    explain = asked("gradcam:conv1")
    sidecar.engine.may_answer.clear()
    waiting = [asyncio.create_task(open_inference.infer(explain, call())) for _ in range(2)]
    await sidecar.engine.wait_asked(2)
    with pytest.raises(Overloaded):
        await open_inference.infer(explain, call())
    soon, graph = Deadline.after(10), open_inference.graph
    with pytest.raises(Overloaded), open_inference.place(graph("tiny_explain"), soon):
        pass
    with open_inference.place(graph("tiny"), soon):
        pass
    await open_inference.infer(asked(), call())
    sidecar.engine.may_answer.set()
    await asyncio.gather(*waiting)
    await open_inference.infer(explain, call())


async def test_failures_come_through(
    open_inference: OpenInference, engine: FakeEngine, sidecar: FakeSidecar
) -> None:
    sidecar.failure = ExplainerUnavailable("down")
    with pytest.raises(ExplainerUnavailable):
        await open_inference.infer(asked("gradcam:conv1"), call())
    await open_inference.infer(asked(), call())
    engine.failure = EngineUnavailable("dead")
    with pytest.raises(EngineUnavailable):
        await open_inference.infer(asked(), call())


async def test_nothing_is_decoded_for_an_engine_that_is_away(
    open_inference: OpenInference, engine: FakeEngine
) -> None:
    engine.unreachable = True
    with pytest.raises(EngineUnavailable, match="away"):
        await open_inference.infer(asked(pictures=(b"no picture",)), call())


async def test_executions_of_both_graphs_are_counted(open_inference: OpenInference) -> None:
    await open_inference.infer(asked("probabilities", "gradcam:conv1"), call())
    for graph in ("tiny", "tiny_explain"):
        assert open_inference.statistics.of(graph, "1").success.count == 1


async def test_predictions_are_reported_with_the_pictures_they_are_of(
    open_inference: OpenInference, observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[Predictions, list[object]]] = []
    monkeypatch.setattr(observer, "predicted", lambda *reported: told.append(reported))
    await open_inference.infer(asked("gradcam", pictures=(RED,)), call())
    assert told == []
    await open_inference.infer(asked("probabilities", pictures=(RED, BLUE)), call())
    ((predictions, pictures),) = told
    assert [each.label for each in predictions.predictions] == ["dog", "cat"]
    assert (predictions.model, predictions.version) == ("tiny", "1")
    assert pictures == [RED, BLUE]


async def test_an_answer_of_the_engine_is_recorded_as_a_sign_of_its_readiness(
    open_inference: OpenInference, readiness: Readiness, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered: list[str] = []
    monkeypatch.setattr(readiness, "record_success", answered.append)
    await open_inference.infer(asked("probabilities"), call())
    assert answered == ["tiny"]
    await open_inference.infer(asked(model="tiny_explain"), call())
    assert answered == ["tiny"], "the sidecar's answer says nothing of the engine here"


async def test_each_graph_is_ready_where_it_runs(
    open_inference: OpenInference, readiness: Readiness, sidecar: FakeSidecar
) -> None:
    hot, explain = open_inference.graph("tiny"), open_inference.graph("tiny_explain")
    assert open_inference.ready
    assert await open_inference.graph_ready(hot)
    assert await open_inference.graph_ready(explain)
    sidecar.alive = False
    assert await open_inference.graph_ready(hot)
    assert not await open_inference.graph_ready(explain)
    await readiness.stop()
    assert not open_inference.ready
    assert not await open_inference.graph_ready(hot)


def test_graphs_by_name_and_version(open_inference: OpenInference, engine: FakeEngine) -> None:
    engine.served = [manifest(version="1"), manifest(version="2")]

    def found(*named: str) -> list[tuple[str, str]]:
        graphs = open_inference.graphs(*named)
        return [(graph.name, graph.manifest.version) for graph in graphs]

    assert len(found()) == 4
    assert found("tiny") == [("tiny", "1"), ("tiny", "2")]
    assert found("tiny_explain", "1") == [("tiny_explain", "1")]
    with pytest.raises(ModelNotFound):
        found("other")
