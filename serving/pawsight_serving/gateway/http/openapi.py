"""The OpenAPI document: what `/docs` shows and generators of clients read."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema

from pawsight_serving.gateway.http.open_inference.openapi import open_inference_paths
from pawsight_serving.gateway.http.openapi_conventions import with_conventions
from pawsight_serving.gateway.http.openapi_pictures import PICTURE, PICTURES
from pawsight_serving.gateway.http.options import TIMEOUT_HEADER, ExplainOptions
from pawsight_serving.gateway.http.schemas import (
    ErrorAnswer,
    ExplainAnswer,
    ModelAnswer,
    ModelsAnswer,
    PredictAnswer,
    StatusAnswer,
)
from pawsight_serving.security.api_keys import HEADER
from pawsight_serving.settings import MAX_NUMBERS

if TYPE_CHECKING:
    from pydantic_core import core_schema

Json = dict[str, Any]

_REF: Final = "#/components/schemas/{model}"
_FAILURES: Final = {
    400: "The request, a picture or an option is invalid.",
    401: "The API key is missing or wrong, where keys are set.",
    404: "Unknown model or version.",
    405: "The route has other methods; `Allow` names them.",
    408: "The request came too slowly.",
    413: "Over the byte limit or the pixel limit.",
    415: "The media type is not supported.",
    431: "The request's headers are too large.",
    429: "Too many requests are in flight; `Retry-After` says when to try again.",
    500: "The server failed.",
    503: "Engine or explainer is down, or the server is stopping; `Retry-After` says when to try "
    "again.",
    504: "The deadline passed.",
}
# What is not HTTP, too long or too slow is refused before it is known what it asks for.
_OF_ANY: Final = (400, 401, 405, 408, 431)
_EMPTY: Final = ("default", "")
_OF_INFERENCE: Final = tuple(status for status in _FAILURES if status != 405)


def openapi_document() -> Json:
    """Return the document of every route."""
    answers = (ErrorAnswer, ExplainAnswer, ModelAnswer, ModelsAnswer, PredictAnswer, StatusAnswer)
    _, schemas = models_json_schema(
        [(answer, "serialization") for answer in answers],
        ref_template=_REF,
        schema_generator=_WithoutDefaults,
    )
    return {
        # The bundled Swagger UI reads 3.0 and no newer.
        "openapi": "3.0.3",
        "info": {
            "title": "Pawsight",
            "description": "Cat or dog, and why.",
            "version": version("pawsight"),
        },
        # Where the document is: a proxy may serve all of it below a path of its own.
        "servers": [{"url": "."}],
        "paths": with_conventions(_paths(), _failures(*_OF_ANY)),
        "components": {"schemas": schemas["$defs"], "securitySchemes": _KEYS},
        "security": [{}, *({scheme: []} for scheme in _KEYS)],
    }


class _WithoutDefaults(GenerateJsonSchema):
    """Schemas of answers: what an answer leaves out is not there, and has no value."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Return the schema of what may be left out."""
        return self.generate_inner(schema["schema"])


def _paths() -> Json:
    model, of_version = "/v1/models/{name}", "/v1/models/{name}/versions/{version}"
    return {
        f"{model}:predict": {"post": _predict("predict", _NAME)},
        f"{model}:explain": {"post": _explain("explain", _NAME)},
        f"{of_version}:predict": {"post": _predict("predictVersion", _NAME, _VERSION)},
        f"{of_version}:explain": {"post": _explain("explainVersion", _NAME, _VERSION)},
        "/v1/models": {"get": _get("listModels", "Every served model", ModelsAnswer, fails=())},
        model: {"get": _get("getModel", "A model's newest version", ModelAnswer, _NAME)},
        of_version: {
            "get": _get("getVersion", "One version of a model", ModelAnswer, _NAME, _VERSION)
        },
        f"{model}/filters/{{layer}}.png": {"get": _filters("getFilters", _NAME, _LAYER)},
        f"{of_version}/filters/{{layer}}.png": {
            "get": _filters("getVersionFilters", _NAME, _VERSION, _LAYER)
        },
        **open_inference_paths(_failures, _OF_INFERENCE, _TIMEOUT),
        "/healthz": {"get": _get("alive", "Whether the process lives", StatusAnswer, fails=())},
        "/readyz": {
            "get": _get(
                "ready",
                "Whether every model answered a real inference",
                StatusAnswer,
                fails=(503,),
            )
        },
        "/metrics": {"get": _METRICS},
        "/": {"get": _page("page", "The page that takes a picture and shows the answer")},
        "/docs": {"get": _page("docs", "This document as a page")},
        "/openapi.json": {"get": _DOCUMENT},
    }


def _predict(operation: str, *parameters: Json) -> Json:
    return {
        "operationId": operation,
        "summary": "Classify one or more pictures",
        "description": "The predictions keep the order of the pictures.",
        "parameters": [*parameters, _TIMEOUT],
        "requestBody": PICTURES,
        "responses": {"200": _json(PredictAnswer, "The predictions."), **_failures(*_OF_INFERENCE)},
    }


def _explain(operation: str, *parameters: Json) -> Json:
    explained = _json(ExplainAnswer, "The predictions and their explanations.")
    for media_type in ("image/png", "image/webp", "application/x-npy"):
        explained["content"][media_type] = PICTURE
    return {
        "operationId": operation,
        "summary": "Classify pictures and say why",
        "description": "JSON holds the values. `Accept: image/png` or `image/webp` gives, of one "
        "picture, the overlay, the grid of activation maps, or a sheet of several, and a large "
        "picture is drawn smaller; `application/x-npy` gives the raw values as NumPy writes them; "
        "the headers `x-pawsight-layer`, `x-pawsight-target` and `x-pawsight-channels` name what "
        "they are of, with commas between, each name percent-encoded (RFC 3986), and "
        f"`x-pawsight-digest` the graph. JSON takes {MAX_NUMBERS:,} numbers; beyond, ask for "
        "fewer layers or channels, send fewer pictures, or take the raw values.",
        "parameters": [*parameters, *_options(), _TIMEOUT],
        "requestBody": PICTURES,
        "responses": {"200": explained, **_failures(*_OF_INFERENCE)},
    }


def _get(
    operation: str,
    summary: str,
    answer: type,
    *parameters: Json,
    fails: tuple[int, ...] = (404,),
) -> Json:
    return {
        "operationId": operation,
        "summary": summary,
        "parameters": list(parameters),
        "responses": {"200": _json(answer, f"{summary}."), **_failures(*fails)},
    }


def _page(operation: str, summary: str) -> Json:
    return {
        "operationId": operation,
        "summary": summary,
        "parameters": [],
        "responses": {
            "200": {"description": f"{summary}.", "content": {"text/html": {"schema": {}}}}
        },
    }


def _filters(operation: str, *parameters: Json) -> Json:
    return {
        "operationId": operation,
        "summary": "What the filters of a layer respond to most",
        "parameters": list(parameters),
        "responses": {
            "200": {
                "description": "A grid of pictures, one per filter; `ETag` names it.",
                "content": {"image/png": PICTURE},
            },
            "304": {"description": "It is still the one that `If-None-Match` names."},
            **_failures(404),
        },
    }


def _json(answer: type, description: str) -> Json:
    schema = {"$ref": _REF.format(model=answer.__name__)}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _failures(*statuses: int) -> Json:
    return {str(status): _json(ErrorAnswer, _FAILURES[status]) for status in statuses}


def _options() -> list[Json]:
    schema = ExplainOptions.model_json_schema()
    return [
        {
            "name": name,
            "in": "query",
            "description": option.pop("description"),
            "schema": _told(option),
        }
        for name, option in schema["properties"].items()
    ]


def _told(option: Json) -> Json:
    """Return an option's schema without what says nothing: its title and an empty default."""
    return {
        key: value for key, value in option.items() if key != "title" and (key, value) != _EMPTY
    }


def _path_parameter(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


_NAME: Final = _path_parameter("name")
_VERSION: Final = _path_parameter("version")
_LAYER: Final = _path_parameter("layer")
_TIMEOUT: Final[Json] = {
    "name": TIMEOUT_HEADER,
    "in": "header",
    "description": "Seconds after which the answer is no longer of use.",
    "schema": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
}
_KEYS: Final[Json] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": HEADER},
}
_METRICS: Final[Json] = {
    "operationId": "metrics",
    "summary": "Metrics for Prometheus",
    "parameters": [],
    "responses": {
        "200": {"description": "The metrics.", "content": {"text/plain": {"schema": {}}}}
    },
}
_DOCUMENT: Final[Json] = {
    "operationId": "openapi",
    "summary": "This document",
    "parameters": [],
    "responses": {
        "200": {
            "description": "The document.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    },
}
