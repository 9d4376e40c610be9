"""Errors to HTTP statuses."""

from __future__ import annotations

from typing import Final

from pawsight_serving.errors import (
    AddressUnavailable,
    DeadlineExceeded,
    ImageTooLarge,
    InternalError,
    MediaTypeUnsupported,
    NotFound,
    Overloaded,
    PawsightError,
    RepositoryInvalid,
    RequestError,
    Unauthenticated,
    Unavailable,
)

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
    Unavailable: 503,
    AddressUnavailable: 503,
    DeadlineExceeded: 504,
}


def status_of(error: PawsightError) -> int:
    """Return the HTTP status of an error."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
