from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import (
    EngineUnavailable,
    ExplainerUnavailable,
    ImageInvalid,
    ImageMissing,
    ModelNotFound,
    OptionInvalid,
    VersionNotFound,
)
from pawsight_serving.explanations.queries import Query
from pawsight_serving.requests.calls import Call
from pawsight_serving.requests.deadlines import Deadline
from tests.serving.fakes import FakeEngine, manifest, picture

if TYPE_CHECKING:
    from pawsight_proto.v1.pawsight_pb2 import ExplainResponse
    from pawsight_serving.gateway.core import Gateway
    from pawsight_serving.observability.observation import Observer
    from pawsight_serving.predictions import Predictions
    from pawsight_serving.readiness import Readiness
    from tests.serving.gateway.conftest import FakeExplainer

RED, BLUE = picture("red"), picture("blue")


def soon() -> Deadline:
    return Deadline.after(10)


async def explained(gateway: Gateway, query: Query) -> ExplainResponse:
    return await gateway.explain(query, [RED], Call("id", soon()), tensors=False)


async def test_predictions_keep_the_order_of_the_pictures(
    gateway: Gateway, engine: FakeEngine
) -> None:
    predicted = await gateway.predict("tiny", "", [RED, BLUE, RED], soon())
    assert [each.label for each in predicted.predictions] == ["dog", "cat", "dog"]
    assert (predicted.model, predicted.version) == ("tiny", "1")
    assert engine.asked[-1] == ("tiny", "1", ("probabilities",), 3)


async def test_predictions_are_reported_with_the_pictures_they_are_of(
    gateway: Gateway, observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[Predictions, list[bytes]]] = []
    monkeypatch.setattr(observer, "predicted", lambda *reported: told.append(reported))
    await gateway.predict("tiny", "", [RED, BLUE], soon())
    await explained(gateway, Query())
    assert [(of.model, of.version, pictures) for of, pictures in told] == [
        ("tiny", "1", [RED, BLUE]),
        ("tiny", "1", [RED]),
    ]


async def test_an_answer_is_recorded_as_a_sign_of_readiness(
    gateway: Gateway, readiness: Readiness, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered: list[str] = []
    monkeypatch.setattr(readiness, "record_success", answered.append)
    await gateway.predict("tiny", "", [RED], soon())
    assert answered == ["tiny"]


async def test_the_newest_version_answers_unless_another_is_named(
    gateway: Gateway, engine: FakeEngine
) -> None:
    engine.served = [manifest(version="1"), manifest(version="2")]
    assert (await gateway.predict("tiny", "", [RED], soon())).version == "2"
    assert (await gateway.predict("tiny", "1", [RED], soon())).version == "1"


async def test_the_default_model_answers_where_none_is_named(
    gateway: Gateway, engine: FakeEngine
) -> None:
    assert gateway.model("").name == "tiny"
    engine.served = [manifest("other"), manifest("cats_dogs_vgg16")]
    assert gateway.model("").name == "cats_dogs_vgg16"
    engine.served = [manifest("one"), manifest("two")]
    with pytest.raises(OptionInvalid, match="one, two"):
        gateway.model("")


async def test_what_is_not_served_is_not_found(gateway: Gateway) -> None:
    with pytest.raises(ModelNotFound):
        await gateway.predict("other", "", [RED], soon())
    with pytest.raises(VersionNotFound):
        await gateway.predict("tiny", "9", [RED], soon())


async def test_the_engines_failure_comes_through(gateway: Gateway, engine: FakeEngine) -> None:
    engine.failure = EngineUnavailable("dead")
    with pytest.raises(EngineUnavailable):
        await gateway.predict("tiny", "", [RED], soon())


async def test_nothing_is_decoded_for_an_engine_that_is_away(
    gateway: Gateway, engine: FakeEngine
) -> None:
    engine.unreachable = True
    with pytest.raises(EngineUnavailable, match="away"):
        await gateway.predict("tiny", "", [b"no picture"], soon())
    engine.unreachable = False
    with pytest.raises(ImageInvalid):
        await gateway.predict("tiny", "", [b"no picture"], soon())


async def test_an_explanation_is_the_sidecars(gateway: Gateway, explainer: FakeExplainer) -> None:
    response = await explained(gateway, Query())
    assert response.request_id == "id"
    (query, call), *_ = explainer.asked
    assert (query.model, query.version, call.request_id) == ("tiny", "1", "id")


async def test_a_version_that_goes_between_two_steps_is_replaced_by_the_newest(
    gateway: Gateway, engine: FakeEngine
) -> None:
    first, second = manifest(version="1"), manifest(version="2")
    engine.served, engine.withdrawn = [first, second], [second]
    assert (await gateway.predict("tiny", "", [RED], soon())).version == "1"
    engine.served, engine.withdrawn = [first, second], [second]
    with pytest.raises(VersionNotFound):
        await gateway.predict("tiny", "2", [RED], soon())


async def test_a_sidecar_without_the_version_explains_with_its_own(
    gateway: Gateway, explainer: FakeExplainer
) -> None:
    explainer.without = "1"
    await explained(gateway, Query())
    assert [query.version for query, _ in explainer.asked] == ["1", ""]
    with pytest.raises(VersionNotFound):
        await explained(gateway, Query(version="1"))


async def test_what_cannot_be_explained_is_never_sent(
    gateway: Gateway, explainer: FakeExplainer
) -> None:
    with pytest.raises(ModelNotFound):
        await explained(gateway, Query(model="x"))
    with pytest.raises(ImageMissing):
        await gateway.explain(Query(), [], Call("id", soon()), tensors=False)
    with pytest.raises(OptionInvalid, match="has 32 numbers, and at most 31"):
        await explained(gateway, Query(layer="conv1", target="all", max_values=31))
    assert explainer.asked == []


async def test_predictions_go_on_without_the_sidecar(
    gateway: Gateway, explainer: FakeExplainer
) -> None:
    explainer.failure = ExplainerUnavailable("down")
    with pytest.raises(ExplainerUnavailable):
        await explained(gateway, Query())
    await gateway.predict("tiny", "", [RED], soon())


async def test_one_picture_is_decoded_where_the_graph_runs_if_the_engine_can(
    gateway: Gateway, engine: FakeEngine
) -> None:
    engine.prepares = True
    gateway._engine = engine
    predicted = await gateway.predict("tiny", "", [RED], soon())
    assert [each.label for each in predicted.predictions] == ["dog"]
    with pytest.raises(ImageInvalid):
        await gateway.predict("tiny", "", [b"no picture"], soon())
    predicted = await gateway.predict("tiny", "", [RED, BLUE], soon())
    assert [each.label for each in predicted.predictions] == ["dog", "cat"]
