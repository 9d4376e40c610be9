"""HTTP answers that are not what they should be."""

from __future__ import annotations

import json
import struct
from fractions import Fraction

import pytest

from pawsight_client import (
    AnswerInvalid,
    DeadlineExceeded,
    ImageTooLarge,
    InternalError,
    MediaTypeUnsupported,
    Model,
    ModelNotFound,
    NotFound,
    OptionInvalid,
    Overloaded,
    PawsightError,
    RequestError,
    RouteNotFound,
    Unauthenticated,
    Unavailable,
    VersionNotFound,
)
from pawsight_client._operations import Explain, GetModel, ListModels, Operation, Predict
from pawsight_client._transports.http_codec import default_model, read, write

QUESTIONS: list[Operation[object]] = [
    Predict(b"data", "m"),  # type: ignore[list-item]
    Explain(b"data", "m"),  # type: ignore[list-item]
    ListModels(),  # type: ignore[list-item]
    GetModel("m"),  # type: ignore[list-item]
]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: type(question).__name__)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"predictions": []}',
        b'{"models": [1]}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_an_answer_that_is_none(question: Operation[object], body: bytes) -> None:
    with pytest.raises(AnswerInvalid):
        read(question, 200, {}, body)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, AnswerInvalid),
        (400, RequestError),
        (401, Unauthenticated),
        (403, Unauthenticated),
        (404, NotFound),
        (405, RouteNotFound),
        (408, DeadlineExceeded),
        (413, ImageTooLarge),
        (415, MediaTypeUnsupported),
        (418, RequestError),
        (429, Overloaded),
        (500, InternalError),
        (502, Unavailable),
        (503, Unavailable),
        (504, DeadlineExceeded),
    ],
)
def test_a_status_without_words(status: int, kind: type[PawsightError]) -> None:
    with pytest.raises(PawsightError) as raised:
        read(ListModels(), status, {"retry-after": "2"}, b"<html>")
    assert type(raised.value) is kind
    assert raised.value.retry_after_s == 2.0


def test_the_servers_words_go_before_the_status() -> None:
    body = {"error": "Wait.", "code": "EXPLAINER_UNAVAILABLE", "request_id": "request-1"}
    with pytest.raises(Unavailable, match=r"^Wait\.$") as raised:
        read(ListModels(), 500, {}, json.dumps(body).encode())
    assert (raised.value.code, raised.value.request_id) == ("EXPLAINER_UNAVAILABLE", "request-1")


def test_the_request_id_may_stand_in_the_headers_alone() -> None:
    with pytest.raises(InternalError) as raised:
        read(ListModels(), 500, {"x-request-id": "request-1"}, b"")
    assert raised.value.request_id == "request-1"


def test_an_answer_that_is_none_keeps_its_request_id() -> None:
    with pytest.raises(AnswerInvalid) as raised:
        read(ListModels(), 200, {"x-request-id": "request-1"}, b"")
    assert raised.value.request_id == "request-1"


@pytest.mark.parametrize("code", [None, 5, {"name": "IMAGE_INVALID"}])
def test_words_of_other_programs_are_not_taken_for_the_servers(code: object) -> None:
    body = json.dumps({"error": None, "code": code}).encode()
    with pytest.raises(RequestError, match="answered with HTTP status 400") as raised:
        read(ListModels(), 400, {}, body)
    assert raised.value.code == "REQUEST_INVALID"


def test_options_that_are_not_given_are_not_sent() -> None:
    request = write(Explain(b"data", "m"))
    assert request.path == "/v1/models/m:explain"
    assert request.parameters == {"method": "grad-cam"}


def test_numbers_are_written_as_a_server_reads_them() -> None:
    asked = Explain(b"data", "m", alpha=Fraction(1, 2), top=True, channels=(True, 3))  # type: ignore[arg-type]
    sent = write(asked).parameters
    assert (sent["alpha"], sent["top"], sent["channels"]) == ("0.5", "1", "1,3")


def test_names_stand_in_the_path_as_they_are() -> None:
    assert write(GetModel("a b?ü")).path == "/v1/models/a%20b%3F%C3%BC"


@pytest.mark.parametrize("name", ["../x", "a b/ü", "x/versions/1", "..", "."])
def test_names_cannot_leave_their_place_in_the_path(name: str) -> None:
    for question in (Predict(b"data", name), Explain(b"data", name), GetModel(name)):
        with pytest.raises(ModelNotFound, match="models\\(\\) names"):
            write(question)
    with pytest.raises(VersionNotFound):
        write(GetModel("m", name))


def served(*names: str) -> list[Model]:
    return [
        Model(name.rstrip("*"), "1", ("cat", "dog"), (), "READY", {}, default=name.endswith("*"))
        for name in names
    ]


@pytest.mark.parametrize(
    ("names", "default"),
    [
        (["cats_dogs_scratch", "cats_dogs_vgg16*"], "cats_dogs_vgg16"),
        (["cats_dogs_scratch*", "cats_dogs_vgg16"], "cats_dogs_scratch"),
        (["cats_dogs_scratch"], "cats_dogs_scratch"),
        (["cats_dogs_scratch", "cats_dogs_scratch"], "cats_dogs_scratch"),
    ],
)
def test_the_default_model(names: list[str], default: str) -> None:
    assert default_model(served(*names)) == default


@pytest.mark.parametrize(("names", "told"), [([], "none"), (["a", "b"], "a, b")])
def test_no_default_model(names: list[str], told: str) -> None:
    with pytest.raises(OptionInvalid, match=f"the models are: {told}"):
        default_model(served(*names))


def explained(**differently: object) -> bytes:
    """Return the answer to a request for an explanation."""
    explanation: dict[str, object] = {
        "method": "m",
        "layer": "l",
        "height": 1,
        "width": 2,
        "evidence": True,
    }
    explanation |= {"digest": "d", "map": [[0.1, 2]], **differently}
    prediction = {"label": "cat", "score": 1.0, "probabilities": {"cat": 1.0}}
    answer: dict[str, object] = {"model": "m", "version": "1", "digest": "d", "request_id": "r"}
    answer |= {"predictions": [prediction], "explanations": [explanation]}
    return json.dumps(answer).encode()


@pytest.mark.parametrize(
    "differently",
    [
        {"height": float("inf")},
        {"map": [[10**400, 2]]},
        {"map": [[0.1], [2]]},
        {"map": [[0.1, 2]] * 2},
        {"channels": [{"channel": 0, "mean": 1, "max": 1, "map": [[1]]}]},
    ],
)
def test_numbers_that_do_not_fit(differently: dict[str, object]) -> None:
    with pytest.raises(AnswerInvalid):
        read(Explain(b"data", "m"), 200, {}, explained(**differently))


def test_an_answer_without_an_explanation() -> None:
    answer = {**json.loads(explained()), "explanations": []}
    with pytest.raises(AnswerInvalid):
        read(Explain(b"data", "m"), 200, {}, json.dumps(answer).encode())


def test_maps_are_the_float32_that_grpc_brings() -> None:
    (read_back,) = read(Explain(b"data", "m"), 200, {}, explained())
    assert read_back.map == ((struct.unpack("<f", struct.pack("<f", 0.1))[0], 2.0),)
