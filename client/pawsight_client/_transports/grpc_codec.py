"""Operations as protobuf messages, messages and statuses as results: no channel is touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, cast

from google.protobuf.json_format import MessageToDict
from grpc import StatusCode

from pawsight_client import _errors as errors
from pawsight_client._operations import Explain, GetModel, ListModels, Operation, Predict, T
from pawsight_client._results import (
    Channel,
    Curve,
    Explanation,
    Faithfulness,
    Layer,
    Map,
    Model,
    Prediction,
)
from pawsight_client._tls import UNTRUSTED
from pawsight_proto.v1 import pawsight_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.protobuf.message import Message
    from grpc import RpcError

    from pawsight_client._choices import Method


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """How an operation goes over gRPC.

    Attributes:
        method: name of the method of `pawsight.v1.Pawsight`.
        write: operation to request.
        read: answer to result; raises ValueError where the answer holds none.
    """

    method: str
    write: Callable[[Any], Message]
    read: Callable[[Any], T]


def form_of(operation: Operation[T]) -> Form[T]:
    """Return how the operation goes over gRPC."""
    return _FORMS[type(operation)]


def read(form: Form[T], answer: Message | None) -> T:
    """Return the result in an answer.

    Raises:
        AnswerInvalid: it holds none.
    """
    try:
        return form.read(answer)
    # Of a call that ends well without an answer, gRPC gives None.
    except (AttributeError, ValueError) as error:
        raise errors.AnswerInvalid(
            "The answer is not from a Pawsight gateway; check the server's version."
        ) from error


def write_streamed(operation: Predict, identity: str) -> pb.PredictStreamRequest:
    """Return the message that sends one picture of a stream."""
    return pb.PredictStreamRequest(
        id=identity,
        model=operation.model,
        version=operation.version,
        image=operation.picture,
    )


def read_streamed(answer: pb.PredictStreamResponse) -> Prediction:
    """Return the prediction of one picture of a stream.

    Raises:
        PawsightError: the picture has failed.
    """
    if answer.WhichOneof("result") == "error":
        said = answer.error
        raise errors.server_error(
            said.code, said.error, otherwise=errors.InternalError, request_id=said.request_id
        )
    return read(_PREDICT, answer.response)


# The nearest ancestor of what the server's code would say, where there is only the status.
_STATUSES: Final[Mapping[StatusCode, type[errors.PawsightError]]] = {
    StatusCode.CANCELLED: errors.Unavailable,
    StatusCode.INVALID_ARGUMENT: errors.RequestError,
    StatusCode.OUT_OF_RANGE: errors.RequestError,
    StatusCode.FAILED_PRECONDITION: errors.RequestError,
    StatusCode.ALREADY_EXISTS: errors.RequestError,
    StatusCode.ABORTED: errors.Unavailable,
    StatusCode.NOT_FOUND: errors.NotFound,
    StatusCode.UNIMPLEMENTED: errors.RouteNotFound,
    StatusCode.UNAUTHENTICATED: errors.Unauthenticated,
    StatusCode.PERMISSION_DENIED: errors.Unauthenticated,
    StatusCode.RESOURCE_EXHAUSTED: errors.Overloaded,
    StatusCode.UNAVAILABLE: errors.ServerUnreachable,
    StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
}
# What gRPC itself says, where a server of ours would say what to do.
_SENTENCES: Final[Mapping[type[errors.PawsightError], str]] = {
    errors.ServerUnreachable: (
        "No server answers at {url}; check that it runs, and that this is its port for gRPC."
    ),
    errors.CertificateUntrusted: UNTRUSTED,
    errors.Overloaded: "The server at {url} takes no more now; try again later, or ask for less.",
    errors.DeadlineExceeded: errors.LATE,
    errors.AnswerInvalid: "The answer of {url} is too large; check the server's URL.",
    errors.ImageTooLarge: "The picture is larger than the server takes in one message; send less.",
}

# What gRPC says of a certificate that no authority signed whom the client trusts, and of another
# host's.
_UNTRUSTED: Final = ("CERTIFICATE_VERIFY_FAILED", "Hostname Verification Check failed")


def error_of(failed: RpcError, url: str) -> errors.PawsightError:
    """Return the error that ended a call to the server at `url`."""
    status, message = failed.code(), failed.details() or ""
    metadata: Any = failed.trailing_metadata() or ()
    said = {key: value for key, value in metadata if isinstance(value, str)}
    code = said.get("pawsight-code", "")
    otherwise = _STATUSES.get(status, errors.InternalError)
    if status is StatusCode.RESOURCE_EXHAUSTED and "larger than max" in message:
        # Which side refused the message stands before it.
        otherwise = errors.AnswerInvalid if "CLIENT: " in message else errors.ImageTooLarge
    if status is StatusCode.UNAVAILABLE and any(word in message for word in _UNTRUSTED):
        otherwise = errors.CertificateUntrusted
    if not code:
        sentence = _SENTENCES.get(
            otherwise, "The server at {url} answered with gRPC status {status}; check its URL."
        )
        message = sentence.format(url=url, status=status.name)
    return errors.server_error(
        code,
        message,
        otherwise=otherwise,
        request_id=said.get("x-request-id", ""),
        retry_after_s=errors.seconds(said.get("retry-after")),
    )


def _write_explain(ask: Explain) -> pb.ExplainRequest:
    return pb.ExplainRequest(
        model=ask.model,
        version=ask.version,
        images=[ask.picture],
        method=ask.method,
        layer=ask.layer,
        target=ask.target,
        # protobuf takes a bool for no number, and a text for no bool.
        channels=map(int, ask.channels),
        rendering=pb.RENDERING_PNG if ask.overlay else pb.RENDERING_UNSPECIFIED,
        top=int(ask.top),
        sheet=bool(ask.sheet),
        alpha=float(ask.alpha),
        colormap=ask.colormap,
        faithfulness=bool(ask.faithfulness),
        samples=int(ask.samples),
        seed=int(ask.seed),
    )


def _read_prediction(answer: pb.PredictResponse | pb.ExplainResponse) -> Prediction:
    (prediction,) = answer.predictions
    return Prediction(
        label=prediction.label,
        score=prediction.score,
        # A message keeps no order; classes are in that of their names.
        probabilities=dict(sorted(prediction.probabilities.items())),
        model=answer.model,
        version=answer.version,
        digest=answer.digest,
        request_id=answer.request_id,
    )


def _read_explanations(answer: pb.ExplainResponse) -> tuple[Explanation, ...]:
    prediction = _read_prediction(answer)
    sheet = answer.sheets[0] if answer.sheets else b""
    if not answer.explanations:
        raise ValueError("an answer without an explanation")
    return tuple(_read_explanation(each, prediction, sheet) for each in answer.explanations)


def _read_explanation(
    explanation: pb.Explanation, prediction: Prediction, sheet: bytes
) -> Explanation:
    maps = [channel.map for channel in explanation.channels] or [explanation.map]
    return Explanation(
        method=explanation.method,
        layer=explanation.layer,
        target=explanation.target,
        height=maps[0].height,
        width=maps[0].width,
        evidence=explanation.evidence,
        digest=explanation.digest,
        prediction=prediction,
        map=_read_map(explanation.map),
        channels=tuple(
            Channel(
                channel.channel, channel.mean, channel.max, _read_map(channel.map), channel.zeros
            )
            for channel in explanation.channels
        ),
        overlay_png=explanation.overlay_png,
        weights_sha256=explanation.weights_sha256,
        precision=explanation.precision,
        probability=explanation.probability if explanation.HasField("probability") else None,
        faithfulness=_read_faithfulness(explanation),
        sheet_png=sheet,
    )


def _read_faithfulness(explanation: pb.Explanation) -> Faithfulness | None:
    if not explanation.HasField("faithfulness"):
        return None
    measured = explanation.faithfulness
    return Faithfulness(_read_curve(measured.deletion), _read_curve(measured.insertion))


def _read_curve(curve: pb.Curve) -> Curve:
    return Curve(curve.area, tuple(curve.probabilities))


def _read_map(message: pb.Map) -> Map:
    values, width = tuple(message.values), message.width
    if len(values) != message.height * width:
        raise ValueError("a map's values do not fit its size")
    # Counted by its values: rows of nothing could be any number.
    return tuple(values[start : start + width] for start in range(0, len(values), width or 1))


def _read_model(model: pb.Model) -> Model:
    return Model(
        name=model.name,
        version=model.version,
        classes=tuple(model.classes),
        layers=tuple(
            Layer(layer.name, layer.kind, layer.channels, layer.height, layer.width)
            for layer in model.layers
        ),
        state=model.state,
        manifest=MessageToDict(model.manifest),
        methods=cast("tuple[Method, ...]", tuple(model.methods)),
        default=model.default,
    )


_PREDICT: Final = Form(
    "Predict",
    lambda ask: pb.PredictRequest(model=ask.model, version=ask.version, images=[ask.picture]),
    _read_prediction,
)
_FORMS: Final[Mapping[type[Operation[Any]], Form[Any]]] = {
    Predict: _PREDICT,
    Explain: Form("Explain", _write_explain, _read_explanations),
    ListModels: Form(
        "ListModels",
        lambda _: pb.ListModelsRequest(),
        lambda answer: tuple(_read_model(model) for model in answer.models),
    ),
    GetModel: Form(
        "GetModel",
        lambda ask: pb.GetModelRequest(model=ask.model, version=ask.version),
        _read_model,
    ),
}
