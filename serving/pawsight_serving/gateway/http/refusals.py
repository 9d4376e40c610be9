"""Answers to requests that the application never sees."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from http import HTTPStatus

    from pawsight_serving.errors import PawsightError


def refusal(status: HTTPStatus, error: PawsightError, request_id: str) -> bytes:
    """Return an answer of HTTP/1.1 after which the connection is closed."""
    body = orjson.dumps({"error": str(error), "code": error.code, "request_id": request_id})
    after_s = error.retry_after_s
    retry = b"" if after_s is None else b"retry-after: %d\r\n" % math.ceil(after_s)
    return (
        f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nx-request-id: {request_id}\r\n"
        "x-content-type-options: nosniff\r\n".encode()
        + retry
        + b"connection: close\r\n\r\n"
        + body
    )
