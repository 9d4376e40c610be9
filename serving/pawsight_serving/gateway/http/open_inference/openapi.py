"""The part of the OpenAPI document under `/v2`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pawsight_serving.gateway.http.open_inference.requests import HEADER_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]

_MODEL: Final = "/v2/models/{name}"


def open_inference_paths(
    failures: Callable[..., Json], failures_of_inference: tuple[int, ...], timeout: Json
) -> Json:
    """Return the paths.

    Args:
        failures: makes the answers of some statuses.
        failures_of_inference: the statuses of requests that run a model.
        timeout: the header that every such request may have.
    """

    def operation(name: str, summary: str, *parameters: str, fails: tuple[int, ...] = ()) -> Json:
        return {
            "operationId": name,
            "summary": summary,
            "tags": ["Open Inference Protocol v2"],
            "parameters": [
                {"name": each, "in": "path", "required": True, "schema": {"type": "string"}}
                for each in parameters
            ],
            "responses": {
                "200": {"description": f"{summary}.", "content": _json({})},
                **failures(*fails),
            },
        }

    def infer(name: str, *parameters: str) -> Json:
        described = operation(name, "Run a model", *parameters, fails=failures_of_inference)
        described["description"] = _INFER
        described["parameters"] += [_HEADER_LENGTH, timeout]
        described["requestBody"] = {"required": True, "content": {**_json(_BODY), **_BINARY}}
        described["responses"]["200"]["content"] = {**_json(_ANSWER), **_BINARY}
        return {"post": described}

    def get(name: str, summary: str, *parameters: str, fails: tuple[int, ...] = ()) -> Json:
        return {"get": operation(name, summary, *parameters, fails=fails)}

    index = operation("v2Index", "Every model, and whether it answers", fails=(415,))
    index["requestBody"] = {
        "required": False,
        "content": _json({"properties": {"ready": {"type": "boolean"}}}),
    }
    index["responses"]["200"]["content"] = _json({"type": "array", "items": {"type": "object"}})
    paths = {
        "/v2": get("v2Server", "Name, version and extensions of the server"),
        "/v2/health/live": get("v2Live", "Whether the process lives"),
        "/v2/health/ready": get("v2Ready", "Whether every model answers", fails=(503,)),
        "/v2/repository/index": {"post": index},
        "/v2/models/stats": get("v2Stats", "How often every model ran, and for how long"),
    }
    for path, suffix, names in (
        (_MODEL, "", ("name",)),
        (f"{_MODEL}/versions/{{version}}", "Version", ("name", "version")),
    ):
        paths |= {
            path: get(f"v2Model{suffix}", "A model's input and outputs", *names, fails=(404,)),
            f"{path}/ready": get(
                f"v2ModelReady{suffix}", "Whether a model answers", *names, fails=(404, 503)
            ),
            f"{path}/config": get(
                f"v2Config{suffix}", "A model's configuration for Triton", *names, fails=(404,)
            ),
            f"{path}/stats": get(
                f"v2ModelStats{suffix}",
                "How often a model ran, and for how long",
                *names,
                fails=(404,),
            ),
            f"{path}/infer": infer(f"v2Infer{suffix}", *names),
        }
    return paths


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": {"type": "object", **schema}}}


def _input(datatype: str, items: Json, dimensions: int) -> Json:
    lengths = {"type": "integer", "minimum": 0}
    return {
        "type": "object",
        "required": ["name", "datatype", "shape"],
        "properties": {
            "name": {"type": "string", "enum": ["image"]},
            "datatype": {"type": "string", "enum": [datatype]},
            "shape": {
                "type": "array",
                "items": lengths,
                "minItems": dimensions,
                "maxItems": dimensions,
            },
            "parameters": {"type": "object", "properties": {"binary_data_size": lengths}},
            "data": {"type": "array", "items": items},
        },
    }


_INFER: Final = (
    "The input `image` is `BYTES` [-1], encoded pictures, or `UINT8` [-1, height, width, 3], "
    "pixels in the model's size. In JSON, pictures are strings in base64. Every output of `NAME` "
    "and of `NAME_explain` can be asked for by name; where none is, all of the model's own are "
    "answered. `classification` answers `probabilities` as texts instead, `VALUE:NUMBER:NAME` of "
    "so many of the strongest classes. The `digest` of the graph that gave an output is among a "
    "binary tensor's parameters, and of one in JSON among the answer's, as `digest:NAME`."
)
_BINARY: Final[Json] = {
    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
}
_HEADER_LENGTH: Final[Json] = {
    "name": HEADER_LENGTH,
    "in": "header",
    "description": "Bytes of the JSON at the body's start; the inputs' binary tensors follow in "
    "their order. Left out where all is JSON; where it is 0, the body is one encoded picture.",
    "schema": {"type": "integer", "minimum": 0},
}
_BODY: Final[Json] = {
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "parameters": {
            "type": "object",
            "properties": {"binary_data_output": {"type": "boolean"}},
        },
        "inputs": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {"oneOf": [_input("BYTES", {"type": "string"}, 1), _input("UINT8", {}, 4)]},
        },
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "parameters": {
                        "type": "object",
                        "properties": {
                            "binary_data": {"type": "boolean"},
                            "classification": {"type": "integer", "minimum": 0},
                        },
                    },
                },
            },
        },
    },
}
_ANSWER: Final[Json] = {
    "required": ["model_name", "model_version", "outputs"],
    "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "id": {"type": "string"},
        "parameters": {"type": "object"},
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "datatype", "shape"],
                "properties": {
                    "name": {"type": "string"},
                    "datatype": {"type": "string", "enum": ["BYTES", "FP32"]},
                    "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                    "parameters": {"type": "object"},
                    "data": {"type": "array", "items": {}},
                },
            },
        },
    },
}
