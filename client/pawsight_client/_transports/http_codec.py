"""Operations as HTTP requests, HTTP answers as results: no socket is touched here."""

from __future__ import annotations

import base64
import json
from array import array
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Generic, cast
from urllib.parse import quote

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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pawsight_client._choices import Method

Json = Any
# What a server draws with where it is told nothing.
_ALPHA: Final = 0.75


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request of the gateway's API; `path` starts below the server's URL."""

    verb: str
    path: str
    body: bytes = b""
    parameters: Mapping[str, str] = field(default_factory=dict)


def write(operation: Operation[Any]) -> Request:
    """Return the request that asks what the operation asks."""
    return _form_of(operation).write(operation)


def read(operation: Operation[T], status: int, headers: Mapping[str, str], body: bytes) -> T:
    """Return the operation's result.

    Raises:
        PawsightError: the answer says that it failed.
        AnswerInvalid: the answer is none that a Pawsight gateway gives.
    """
    if not 200 <= status < 300:
        raise _error(status, headers, body)
    try:
        result: T = _form_of(operation).read(json.loads(body))
    except (
        AttributeError,
        IndexError,
        KeyError,
        OverflowError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise errors.AnswerInvalid(
            "The answer is not from a Pawsight gateway; check the server's URL.",
            request_id=headers.get("x-request-id", ""),
        ) from error
    return result


def lacks_model(operation: Operation[Any]) -> bool:
    """Whether the operation leaves the model to the server, which an HTTP path cannot say."""
    return isinstance(operation, (Predict, Explain)) and not operation.model


def with_model(operation: Operation[T], name: str) -> Operation[T]:
    """Return the operation with its model named."""
    asked: Any = operation
    named: Operation[T] = replace(asked, model=name)
    return named


def default_model(served: Sequence[Model]) -> str:
    """Return the name that a gateway means where none is given, as it does over gRPC.

    Raises:
        OptionInvalid: it means none, as several are served and the default is not among them.
    """
    for model in served:
        if model.default:
            return model.name
    names = list(dict.fromkeys(model.name for model in served))
    if len(names) != 1:
        raise errors.OptionInvalid(f"Name the model; the models are: {', '.join(names) or 'none'}.")
    return names[0]


# The nearest ancestor of what the server's code would say, where there is only the status.
_STATUSES: Final[Mapping[int, type[errors.PawsightError]]] = {
    401: errors.Unauthenticated,
    403: errors.Unauthenticated,
    404: errors.NotFound,
    405: errors.RouteNotFound,
    408: errors.DeadlineExceeded,
    413: errors.ImageTooLarge,
    415: errors.MediaTypeUnsupported,
    429: errors.Overloaded,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.DeadlineExceeded,
}


def _error(status: int, headers: Mapping[str, str], body: bytes) -> errors.PawsightError:
    code, message = "", f"The server answered with HTTP status {status}; check its URL."
    request_id = headers.get("x-request-id", "")
    try:
        said = json.loads(body)
        # Other programs put numbers, objects or nothing there.
        if isinstance(said["code"], str) and isinstance(said["error"], str):
            code, message = said["code"], said["error"]
            request_id = str(said.get("request_id") or request_id)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        pass  # not the gateway's words but those of something before it
    return errors.server_error(
        code,
        message,
        otherwise=_kind_of(status),
        request_id=request_id,
        retry_after_s=errors.seconds(headers.get("retry-after")),
    )


def _kind_of(status: int) -> type[errors.PawsightError]:
    if status in _STATUSES:
        return _STATUSES[status]
    if status < 400:
        return errors.AnswerInvalid
    return errors.RequestError if status < 500 else errors.InternalError


@dataclass(frozen=True, slots=True)
class _Form(Generic[T]):
    """How an operation goes over HTTP: operation to request, and JSON to result."""

    write: Callable[[Any], Request]
    read: Callable[[Json], T]


def _form_of(operation: Operation[T]) -> _Form[T]:
    return _FORMS[type(operation)]


def _model_path(name: str, version: str = "", verb: str = "") -> str:
    # Servers decode a path before they take it apart: such a name would be another path there.
    if _leaves_its_place(name):
        raise errors.ModelNotFound(f"Model {name!r} is served nowhere; models() names what is.")
    if _leaves_its_place(version):
        raise errors.VersionNotFound(
            f"Model {name!r} has no version {version!r}; models() names what is served."
        )
    of_version = f"/versions/{quote(version, safe='')}" if version else ""
    return f"/v1/models/{quote(name, safe='')}{of_version}{verb}"


def _leaves_its_place(name: str) -> bool:
    return "/" in name or name in {".", ".."}


def _write_predict(ask: Predict) -> Request:
    return Request("POST", _model_path(ask.model, ask.version, ":predict"), ask.picture)


def _write_explain(ask: Explain) -> Request:
    parameters = {
        "method": ask.method,
        "layer": ask.layer,
        "target": ask.target,
        "channels": ",".join(str(int(channel)) for channel in ask.channels),
        "overlay": "" if ask.overlay else "false",
        "top": str(int(ask.top) or ""),
        "sheet": "true" if ask.sheet else "",
        "alpha": "" if ask.alpha == _ALPHA else str(float(ask.alpha)),
        "colormap": ask.colormap,
        "faithfulness": "true" if ask.faithfulness else "",
        "samples": str(int(ask.samples) or ""),
        "seed": str(int(ask.seed) or ""),
    }
    return Request(
        "POST",
        _model_path(ask.model, ask.version, ":explain"),
        ask.picture,
        {name: value for name, value in parameters.items() if value},
    )


def _read_prediction(answer: Json) -> Prediction:
    (prediction,) = answer["predictions"]
    return Prediction(
        label=str(prediction["label"]),
        score=float(prediction["score"]),
        probabilities={str(k): float(v) for k, v in prediction["probabilities"].items()},
        model=str(answer["model"]),
        version=str(answer["version"]),
        digest=str(answer["digest"]),
        request_id=str(answer["request_id"]),
    )


def _read_explanations(answer: Json) -> tuple[Explanation, ...]:
    prediction = _read_prediction(answer)
    sheet = _read_drawing((answer.get("sheets") or [""])[0])
    if not answer["explanations"]:
        raise ValueError("an answer without an explanation")
    return tuple(_read_explanation(each, prediction, sheet) for each in answer["explanations"])


def _read_explanation(explanation: Json, prediction: Prediction, sheet: bytes) -> Explanation:
    height, width = int(explanation["height"]), int(explanation["width"])
    channels = tuple(
        Channel(
            int(c["channel"]),
            float(c["mean"]),
            float(c["max"]),
            _read_map(c["map"], height, width),
            float(c.get("zeros", 0.0)),
        )
        for c in explanation.get("channels") or ()
    )
    probability, measured = explanation.get("probability"), explanation.get("faithfulness")
    return Explanation(
        method=str(explanation["method"]),
        layer=str(explanation["layer"]),
        target=str(explanation.get("target") or ""),
        height=height,
        width=width,
        evidence=bool(explanation["evidence"]),
        digest=str(explanation["digest"]),
        prediction=prediction,
        map=_read_map(explanation.get("map") or (), height, width),
        channels=channels,
        overlay_png=_read_drawing(explanation.get("overlay_png") or ""),
        weights_sha256=str(explanation.get("weights_sha256") or ""),
        precision=str(explanation.get("precision") or ""),
        probability=None if probability is None else float(probability),
        faithfulness=None
        if measured is None
        else Faithfulness(_read_curve(measured["deletion"]), _read_curve(measured["insertion"])),
        sheet_png=sheet,
    )


def _read_drawing(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _read_curve(curve: Json) -> Curve:
    return Curve(float(curve["area"]), tuple(map(float, curve["probabilities"])))


def _read_map(rows: Sequence[Sequence[float]], height: int, width: int) -> Map:
    if rows and [len(row) for row in rows] != [width] * height:
        raise ValueError("a map's values do not fit its size")
    # JSON has the shortest digits of a float32; gRPC brings the same numbers as they are.
    return tuple(tuple(array("f", row)) for row in rows)


def _read_model(answer: Json) -> Model:
    return Model(
        name=str(answer["name"]),
        version=str(answer["version"]),
        classes=tuple(map(str, answer["classes"])),
        layers=tuple(
            Layer(
                str(layer["name"]),
                str(layer["kind"]),
                int(layer["channels"]),
                int(layer["height"]),
                int(layer["width"]),
            )
            for layer in answer["layers"]
        ),
        state=str(answer["state"]),
        manifest=dict(answer["manifest"]),
        methods=cast("tuple[Method, ...]", tuple(map(str, answer.get("methods") or ()))),
        default=bool(answer.get("default")),
    )


_FORMS: Final[Mapping[type[Operation[Any]], _Form[Any]]] = {
    Predict: _Form(_write_predict, _read_prediction),
    Explain: _Form(_write_explain, _read_explanations),
    ListModels: _Form(
        lambda _: Request("GET", "/v1/models"),
        lambda answer: tuple(_read_model(model) for model in answer["models"]),
    ),
    GetModel: _Form(
        lambda ask: Request("GET", _model_path(ask.model, ask.version)),
        _read_model,
    ),
}
