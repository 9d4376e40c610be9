"""gRPC statuses and messages that are not what they should be."""

from __future__ import annotations

import grpc
import pytest

from pawsight_client import (
    AnswerInvalid,
    ImageTooLarge,
    InternalError,
    Overloaded,
    PawsightError,
    RequestError,
    ServerUnreachable,
    TargetUnknown,
)
from pawsight_client._operations import Explain, Predict
from pawsight_client._transports import grpc_codec as codec
from pawsight_proto.v1 import pawsight_pb2 as pb


class Failed(grpc.RpcError):
    def __init__(
        self,
        status: grpc.StatusCode,
        details: str | None = "text of a library",
        metadata: tuple[tuple[str, str | bytes], ...] | None = None,
    ) -> None:
        self._parts = (status, details, metadata)

    def code(self) -> grpc.StatusCode:
        return self._parts[0]

    def details(self) -> str | None:
        return self._parts[1]

    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...] | None:  # type: ignore[override]
        return self._parts[2]


def test_every_status_is_named() -> None:
    for status in set(grpc.StatusCode) - {grpc.StatusCode.OK}:
        error = codec.error_of(Failed(status), "grpc://host:1")
        assert isinstance(error, PawsightError)
        assert "library" not in str(error)
        assert str(error).endswith(".")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, ServerUnreachable),
        (grpc.StatusCode.INVALID_ARGUMENT, RequestError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Overloaded),
        (grpc.StatusCode.UNKNOWN, InternalError),
        (grpc.StatusCode.DATA_LOSS, InternalError),
    ],
)
def test_a_status_without_a_code(status: grpc.StatusCode, kind: type[PawsightError]) -> None:
    assert type(codec.error_of(Failed(status, None), "grpc://host:1")) is kind


def test_a_message_over_the_transports_limit_is_not_asked_again() -> None:
    failed = Failed(
        grpc.StatusCode.RESOURCE_EXHAUSTED, "Received message larger than max (5 vs. 4)"
    )
    assert type(codec.error_of(failed, "grpc://host:1")) is ImageTooLarge


def test_an_answer_over_the_transports_limit_is_not_taken_for_a_picture() -> None:
    failed = Failed(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "Stream removed (CLIENT: Received message larger than max (5 vs. 4))",
    )
    error = codec.error_of(failed, "grpc://host:1")
    assert type(error) is AnswerInvalid
    assert "too large" in str(error)


def test_words_for_what_grpc_says_by_itself() -> None:
    exhausted = codec.error_of(Failed(grpc.StatusCode.RESOURCE_EXHAUSTED), "grpc://host:1")
    assert "try again later" in str(exhausted)
    down = codec.error_of(Failed(grpc.StatusCode.UNAVAILABLE), "grpc://host:1")
    assert "No server answers at grpc://host:1;" in str(down)
    assert "its port for gRPC" in str(down)


def test_the_servers_words_go_before_the_status() -> None:
    metadata = (
        ("pawsight-code", "TARGET_UNKNOWN"),
        ("x-request-id", "request-1"),
        ("retry-after", "1.5"),
        ("trace-bin", b"\xff"),
    )
    failed = Failed(grpc.StatusCode.INVALID_ARGUMENT, "Name a class.", metadata)
    error = codec.error_of(failed, "grpc://host:1")
    assert type(error) is TargetUnknown
    assert str(error) == "Name a class."
    assert (error.request_id, error.retry_after_s) == ("request-1", 1.5)


def test_an_answer_without_a_prediction() -> None:
    with pytest.raises(AnswerInvalid):
        codec.read(codec.form_of(Predict(b"data")), pb.PredictResponse())
    with pytest.raises(AnswerInvalid):
        codec.read(codec.form_of(Predict(b"data")), None)
    with pytest.raises(AnswerInvalid):
        codec.read_streamed(pb.PredictStreamResponse(id="0"))


def explained(*maps: pb.Map) -> pb.ExplainResponse:
    return pb.ExplainResponse(
        predictions=[pb.Prediction(label="cat")],
        explanations=[pb.Explanation(map=each) for each in maps],
    )


def test_a_map_that_does_not_fit_its_size() -> None:
    answer = explained(pb.Map(height=2, width=2, values=[1.0]))
    with pytest.raises(AnswerInvalid):
        codec.read(codec.form_of(Explain(b"data")), answer)


def test_an_answer_without_an_explanation() -> None:
    with pytest.raises(AnswerInvalid):
        codec.read(codec.form_of(Explain(b"data")), explained())


def test_rows_of_nothing_are_not_made_however_many_they_are_said_to_be() -> None:
    answer = explained(pb.Map(height=2**31 - 1, width=0))
    (explanation,) = codec.read(codec.form_of(Explain(b"data")), answer)
    assert explanation.map == ()
