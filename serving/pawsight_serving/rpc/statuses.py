"""Converts errors to gRPC statuses, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grpc import StatusCode

from pawsight_serving.errors import (
    AddressUnavailable,
    ConfigurationInvalid,
    DeadlineExceeded,
    InternalError,
    NotFound,
    Overloaded,
    PawsightError,
    RepositoryInvalid,
    RequestError,
    Unauthenticated,
    Unavailable,
    every_error,
)
from pawsight_serving.rpc.request_ids import REQUEST_ID_KEY

if TYPE_CHECKING:
    from grpc.aio import AioRpcError

CODE_KEY: Final = "pawsight-code"
RETRY_AFTER_KEY: Final = "retry-after"

# The nearest ancestor that is listed decides.
STATUSES: Final[dict[type[PawsightError], StatusCode]] = {
    PawsightError: StatusCode.INTERNAL,
    RequestError: StatusCode.INVALID_ARGUMENT,
    NotFound: StatusCode.NOT_FOUND,
    Unauthenticated: StatusCode.UNAUTHENTICATED,
    Overloaded: StatusCode.RESOURCE_EXHAUSTED,
    Unavailable: StatusCode.UNAVAILABLE,
    DeadlineExceeded: StatusCode.DEADLINE_EXCEEDED,
    InternalError: StatusCode.INTERNAL,
    RepositoryInvalid: StatusCode.FAILED_PRECONDITION,
    ConfigurationInvalid: StatusCode.FAILED_PRECONDITION,
    AddressUnavailable: StatusCode.UNAVAILABLE,
}


def status_of(error: PawsightError) -> StatusCode:
    """Return the gRPC status of an error."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def ending_of(
    error: PawsightError, request_id: str
) -> tuple[StatusCode, str, tuple[tuple[str, str], ...]]:
    """Return the status, sentence and trailing metadata that a call ends with for an error."""
    return status_of(error), str(error), ((REQUEST_ID_KEY, request_id), *metadata_of(error))


def metadata_of(error: PawsightError) -> tuple[tuple[str, str], ...]:
    """Return the trailing metadata that lets a client rebuild the error."""
    code = ((CODE_KEY, error.code),)
    if error.retry_after_s is None:
        return code
    return (*code, (RETRY_AFTER_KEY, f"{error.retry_after_s:.3g}"))


def error_of(status: AioRpcError) -> PawsightError | None:
    """Return the error that a server of ours ended the call with; None if it was not ours."""
    said = {key: str(value) for key, value in status.trailing_metadata()}
    if (kind := _BY_CODE.get(said.get(CODE_KEY, ""))) is None:
        return None
    # Some kinds build their sentence from facts; here the sentence itself has come.
    error = kind.__new__(kind)
    error.args = (status.details(),)
    if (retry_after := said.get(RETRY_AFTER_KEY)) is not None:
        error.retry_after_s = float(retry_after)
    return error


# A parent may share its code with its child; the child, which comes later, is the narrower.
_BY_CODE: Final[dict[str, type[PawsightError]]] = {kind.code: kind for kind in every_error()}
