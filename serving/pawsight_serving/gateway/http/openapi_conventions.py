"""What the OpenAPI document says of all operations alike: ids, keys, methods, when to return."""

from __future__ import annotations

from typing import Any, Final

from pawsight_serving.gateway.http.authentication import OPEN

Json = dict[str, Any]

_OWN: Final = "Predictions and explanations"
_OF_THE_SERVER: Final = "Health, metrics and pages"
# What `/docs` fills in for who tries an operation out: the default model.
_EXAMPLES: Final = {"name": "cats_dogs_vgg16", "version": "1", "layer": "block5_conv3"}
_OVERLOADED_OR_DOWN: Final = {"429", "503"}


def with_conventions(paths: Json, failures: Json) -> Json:
    """Return the paths with what holds for each operation added to it.

    Args:
        paths: the paths.
        failures: the answers to keys that are wrong (401), and those that any route can give.
    """
    return {
        path: {verb: _completed(operation, path, failures) for verb, operation in item.items()}
        for path, item in paths.items()
    }


def _completed(operation: Json, path: str, failures: Json) -> Json:
    responses = failures | operation["responses"]
    if path in OPEN:
        del responses["401"]
    completed = {
        **operation,
        "tags": operation.get("tags", [_OWN if path.startswith("/v1/") else _OF_THE_SERVER]),
        "parameters": [*map(_with_example, operation["parameters"]), _REQUEST_ID],
        "responses": {
            status: _with_headers(status, answer) for status, answer in sorted(responses.items())
        },
    }
    if path in OPEN:
        completed["security"] = []
    return completed


def _with_example(parameter: Json) -> Json:
    if parameter["in"] == "path":
        return {**parameter, "example": _EXAMPLES[parameter["name"]]}
    return parameter


def _with_headers(status: str, answer: Json) -> Json:
    headers = {"X-Request-Id": _ECHO}
    if status in _OVERLOADED_OR_DOWN:
        headers["Retry-After"] = _RETRY_AFTER
    if status == "405":
        headers["Allow"] = _ALLOW
    return {**answer, "headers": {**answer.get("headers", {}), **headers}}


_REQUEST_ID: Final[Json] = {
    "name": "X-Request-Id",
    "in": "header",
    "description": "An id for logs and answers: 1 to 128 letters, digits and `._:/+=@-`. Without "
    "a valid one, the server makes one.",
    "schema": {"type": "string"},
}
_ECHO: Final[Json] = {
    "description": "The request's id, the caller's where it sent one.",
    "schema": {"type": "string"},
}
_RETRY_AFTER: Final[Json] = {
    "description": "Seconds after which to try again.",
    "schema": {"type": "integer", "minimum": 0},
}
_ALLOW: Final[Json] = {
    "description": "The methods that the route has.",
    "schema": {"type": "string"},
}
