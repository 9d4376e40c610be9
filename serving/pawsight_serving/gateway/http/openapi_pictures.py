"""Pictures in the OpenAPI document: a drawing in an answer, and the bodies that hold pictures."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

PICTURE: Final[Json] = {"schema": {"type": "string", "format": "binary"}}
_B64: Final[Json] = {
    "type": "object",
    "required": ["b64"],
    "properties": {"b64": {"type": "string", "format": "byte"}},
}
_IMAGE_BYTES: Final[Json] = {
    "type": "object",
    "required": ["image_bytes"],
    "properties": {"image_bytes": _B64},
}


def _object_of_many(name: str, items: Json, **more: Any) -> Json:
    many = {"type": "array", "minItems": 1, "items": items}
    return {"schema": {"type": "object", "required": [name], "properties": {name: many}, **more}}


PICTURES: Final[Json] = {
    "required": True,
    "description": "A picture as it is, or several: as files named `image`, or in the JSON of "
    "KServe's and TF-Serving's v1 protocol; by `Content-Encoding`, gzip or deflate.",
    "content": {
        "image/*": PICTURE,
        "application/octet-stream": PICTURE,
        # A form with other parts is refused, where other names in JSON are not minded.
        "multipart/form-data": _object_of_many(
            "image", PICTURE["schema"], additionalProperties=False
        ),
        "application/json": _object_of_many("instances", {"anyOf": [_B64, _IMAGE_BYTES]}),
    },
}
