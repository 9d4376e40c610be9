"""Converts errors to HTTP answers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

from pawsight_serving.errors import (
    AddressUnavailable,
    ConfigurationInvalid,
    DeadlineExceeded,
    ImageTooLarge,
    InternalError,
    MediaTypeUnsupported,
    NotFound,
    Overloaded,
    PawsightError,
    RepositoryInvalid,
    RequestError,
    RouteNotFound,
    Unauthenticated,
    Unavailable,
)
from pawsight_serving.gateway.http.answers import Json
from pawsight_serving.gateway.http.options import request_id_of
from pawsight_serving.observability.observation import failed_with

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

# The nearest ancestor that is listed decides.
STATUSES: Final[dict[type[PawsightError], int]] = {
    PawsightError: 500,
    RequestError: 400,
    Unauthenticated: 401,
    NotFound: 404,
    ImageTooLarge: 413,
    MediaTypeUnsupported: 415,
    Overloaded: 429,
    InternalError: 500,
    RepositoryInvalid: 500,
    ConfigurationInvalid: 500,
    Unavailable: 503,
    AddressUnavailable: 503,
    DeadlineExceeded: 504,
}


def status_of(error: PawsightError) -> int:
    """Return the HTTP status of an error."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def error_answer(
    error: PawsightError,
    request_id: str,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Json:
    """Return the answer to a request that failed.

    Args:
        error: why.
        request_id: the request's.
        status: instead of the table's.
        headers: beside `Retry-After`, which the error brings.
    """
    failed_with(error.code)
    sent = dict(headers or {})
    if error.retry_after_s is not None:
        sent["retry-after"] = str(math.ceil(error.retry_after_s))
    return Json(
        {"error": str(error), "code": error.code, "request_id": request_id},
        status or status_of(error),
        sent,
    )


async def on_error(request: Request, error: Exception) -> Json:
    """Answer for an error of the core."""
    if not isinstance(error, PawsightError):
        raise error
    return error_answer(error, request_id_of(request))


async def on_no_route(request: Request, error: Exception) -> Json:
    """Answer for a route that does not exist, or not with this method."""
    if not isinstance(error, HTTPException):
        raise error
    return error_answer(
        RouteNotFound(
            f"There is no {request.method} {request.url.path} here; /docs has the routes."
        ),
        request_id_of(request),
        status=error.status_code,
        headers=error.headers,
    )
