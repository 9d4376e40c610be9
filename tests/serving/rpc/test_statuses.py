from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

from pawsight_serving import errors
from pawsight_serving.rpc.statuses import error_of, metadata_of, status_of

if TYPE_CHECKING:
    from pawsight_serving.errors import PawsightError

KINDS = list(errors.every_error())


def made(kind: type[PawsightError]) -> PawsightError:
    """Return an error of any kind, whatever facts its constructor wants."""
    error = kind.__new__(kind)
    error.args = ("A sentence.",)
    return error


def received(error: PawsightError) -> AioRpcError:
    trailing = Metadata(*metadata_of(error))
    return AioRpcError(status_of(error), Metadata(), trailing, str(error))


@pytest.mark.parametrize("kind", KINDS[1:])
def test_every_error_crosses_the_wire_as_itself(kind: type[PawsightError]) -> None:
    there = error_of(received(made(kind)))
    assert type(there) is kind
    assert str(there) == "A sentence."
    assert there.retry_after_s == kind.retry_after_s


def test_no_two_kinds_share_a_code() -> None:
    codes = [kind.code for kind in KINDS]
    assert len(set(codes)) == len(codes) - 1, "the root and InternalError alone share one"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.ImageInvalid, grpc.StatusCode.INVALID_ARGUMENT),
        (errors.ImageMissing, grpc.StatusCode.INVALID_ARGUMENT),
        (errors.ImageTooLarge, grpc.StatusCode.INVALID_ARGUMENT),
        (errors.OptionInvalid, grpc.StatusCode.INVALID_ARGUMENT),
        (errors.LayerUnknown, grpc.StatusCode.INVALID_ARGUMENT),
        (errors.TargetUnknown, grpc.StatusCode.INVALID_ARGUMENT),
        (errors.ModelNotFound, grpc.StatusCode.NOT_FOUND),
        (errors.VersionNotFound, grpc.StatusCode.NOT_FOUND),
        (errors.Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
        (errors.Overloaded, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (errors.Unavailable, grpc.StatusCode.UNAVAILABLE),
        (errors.EngineUnavailable, grpc.StatusCode.UNAVAILABLE),
        (errors.ExplainerUnavailable, grpc.StatusCode.UNAVAILABLE),
        (errors.DeadlineExceeded, grpc.StatusCode.DEADLINE_EXCEEDED),
        (errors.InternalError, grpc.StatusCode.INTERNAL),
    ],
)
def test_the_table_is_the_contracts(kind: type[PawsightError], status: grpc.StatusCode) -> None:
    assert status_of(made(kind)) is status


def test_an_error_that_is_not_ours_stays_foreign() -> None:
    foreign = AioRpcError(grpc.StatusCode.UNAVAILABLE, Metadata(), Metadata(), "socket closed")
    assert error_of(foreign) is None
    unknown = AioRpcError(
        grpc.StatusCode.INTERNAL, Metadata(), Metadata(("pawsight-code", "NEW")), "?"
    )
    assert error_of(unknown) is None


def test_retry_after_goes_along() -> None:
    assert ("retry-after", "1") in metadata_of(made(errors.Overloaded))
    assert "retry-after" not in dict(metadata_of(made(errors.ImageInvalid)))
    refused = errors.Overloaded("A sentence.", 2.5)
    assert ("retry-after", "2.5") in metadata_of(refused)
    there = error_of(received(refused))
    assert there is not None
    assert there.retry_after_s == 2.5
