"""Reads JSON of untrusted callers, with bounds on its values and its depth."""

from __future__ import annotations

import codecs
from typing import Any

import orjson

from pawsight_serving.errors import RequestError


def read_json(text: bytes, max_depth: int, max_values: int, form: str) -> Any:
    """Return the document.

    Args:
        text: the body.
        max_depth: how many arrays and objects may lie in each other.
        max_values: how many values it may have, about; more hold up every other request.
        form: what to send, as the error says it.

    Raises:
        RequestError: it is no JSON, or too deep or too large to be read.
    """
    if text.count(b",") > max_values:
        raise RequestError(
            f"JSON takes {max_values} values here; send fewer pictures, or their binary form."
        )
    try:
        document = orjson.loads(text.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError as error:
        # Where it nests a thousand deep, too.
        raise RequestError(
            f"The body is not JSON of at most {max_depth} levels; send {form}."
        ) from error
    level = [document] if isinstance(document, dict | list) else []
    for _ in range(max_depth):
        if not level:
            return document
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is list or type(inner) is dict
        ]
    if level:
        raise RequestError(f"The JSON nests deeper than {max_depth} levels; send {form}.")
    return document
