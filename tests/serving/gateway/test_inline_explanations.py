from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pawsight_serving.errors import EngineUnavailable, ImageInvalid
from pawsight_serving.explanations.methods.registry import find_method
from pawsight_serving.explanations.queries import Drawing, Query
from pawsight_serving.gateway.core import Gateway
from pawsight_serving.gateway.inline_explanations import InlineExplanations
from pawsight_serving.messages.tensors import read_tensor
from pawsight_serving.requests.admission import Admission
from pawsight_serving.requests.calls import Call
from pawsight_serving.requests.deadlines import Deadline
from pawsight_serving.threads.thread_pool import ThreadPool
from tests.serving.fakes import FakeEngine, manifest, picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pawsight_serving.gateway.resources import Resources
    from pawsight_serving.predictions import Predictions
    from tests.serving.gateway.conftest import FakeExplainer

MANIFEST = manifest()


@pytest.fixture
def predictions() -> Admission:
    return Admission(9)


@pytest.fixture
def explanations() -> Admission:
    return Admission(9)


@pytest.fixture
def own(
    resources: Resources, engine: FakeEngine, predictions: Admission, explanations: Admission
) -> Iterator[InlineExplanations]:
    # What readiness asked for is not looked at here.
    engine.asked.clear()
    workers = ThreadPool(2, "explain")
    roomy = replace(resources, admission=predictions, explain_admission=explanations)
    yield InlineExplanations(roomy, workers)
    workers.close()


@pytest.mark.parametrize(
    ("query", "has"),
    [
        (Query(), True),
        (Query(layer="conv2", target="all"), True),
        (Query(layer="conv1"), False),
        (Query(layer="all"), False),
        (Query(method="occlusion"), False),
        (Query(drawing=Drawing()), False),
        (Query(faithfulness=True), False),
    ],
)
def test_it_has_what_one_pass_of_the_hot_graph_gives(
    own: InlineExplanations, query: Query, has: bool
) -> None:
    name, method = find_method(MANIFEST, query)
    assert own.has(MANIFEST, name, query, method) is has


async def test_nothing_is_decoded_for_an_engine_that_is_away(
    own: InlineExplanations, engine: FakeEngine
) -> None:
    name, method = find_method(MANIFEST, Query())
    engine.unreachable = True
    with pytest.raises(EngineUnavailable, match="away"):
        await own.answer(
            MANIFEST, name, method, [b"no picture"], Call("", Deadline.after(10)), tensors=True
        )


async def test_it_explains_as_the_sidecar_does(own: InlineExplanations, engine: FakeEngine) -> None:
    name, method = find_method(MANIFEST, Query(target="all"))
    pictures = [picture("red"), picture("blue")]
    call = Call("mine", Deadline.after(10))
    answer = await own.answer(MANIFEST, name, method, pictures, call, tensors=True)
    assert engine.asked == [("tiny", "1", ("probabilities", "gradcam"), 2)]
    assert [each.label for each in answer.predictions] == ["dog", "cat"]
    assert answer.request_id == "mine"
    explanations = answer.explanations
    assert [(each.target, each.evidence) for each in explanations] == [
        ("cat", False),
        ("dog", True),
        ("cat", True),
        ("dog", False),
    ]
    np.testing.assert_array_equal(read_tensor(explanations[1].tensor), np.ones((2, 2)))
    assert (explanations[0].weights_sha256, explanations[0].precision) == ("0" * 64, "fp32")


async def test_its_predictions_are_reported_and_no_sidecar_is_asked(
    resources: Resources,
    explainer: FakeExplainer,
    own: InlineExplanations,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[tuple[Predictions, list[bytes]]] = []
    monkeypatch.setattr(resources.observer, "predicted", lambda *reported: told.append(reported))
    gateway = Gateway(resources, explainer, default_model="tiny", inline_explanations=own)
    sent = [picture("red")]
    await gateway.explain(Query(), sent, Call("mine", Deadline.after(10)), tensors=True)
    assert explainer.asked == []
    assert [(of.model, of.version, pictures) for of, pictures in told] == [("tiny", "1", sent)]


async def test_a_bad_picture_is_the_callers_error(own: InlineExplanations) -> None:
    name, method = find_method(MANIFEST, Query())
    call = Call("mine", Deadline.after(10))
    with pytest.raises(ImageInvalid):
        await own.answer(MANIFEST, name, method, [b"nonsense"], call, tensors=True)


def test_predictions_come_first(
    own: InlineExplanations,
    predictions: Admission,
    explanations: Admission,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    with explanations.place(), explanations.place():
        assert own.keeps_nobody_waiting(), "nobody has ever asked for a prediction"
        with predictions.place():
            assert not own.keeps_nobody_waiting()
        assert not own.keeps_nobody_waiting(), "the next prediction is on its way"
        now_s += 0.3
        assert own.keeps_nobody_waiting()
    with predictions.stream() as stream, explanations.place(), explanations.place():
        assert own.keeps_nobody_waiting(), "the stream brings nothing"
        with stream.more(1):
            assert not own.keeps_nobody_waiting()
    with predictions.stream() as stream, explanations.place():
        with stream.more(1):
            pass
        assert own.keeps_nobody_waiting(), "one caller's stream rests while it asks for this"
    with predictions.place():
        pass
    with explanations.place():
        assert own.keeps_nobody_waiting(), "one caller asks for this and that in turn"
