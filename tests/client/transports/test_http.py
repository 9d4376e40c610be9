"""No error of httpx leaves the client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from pawsight_client import DeadlineExceeded, ServerUnreachable
from pawsight_client._transports.http import ERRORS

if TYPE_CHECKING:
    from pawsight_client import PawsightError

FOREIGN = sorted(
    (
        kind
        for kind in vars(httpx).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ),
    key=lambda kind: kind.__name__,
)


def named(kind: type[Exception]) -> type[PawsightError] | None:
    return next((ERRORS[base] for base in kind.__mro__ if base in ERRORS), None)


def test_there_are_errors_to_name() -> None:
    assert len(FOREIGN) > 20


@pytest.mark.parametrize("kind", FOREIGN)
def test_every_error_of_httpx_is_named(kind: type[Exception]) -> None:
    assert named(kind) is not None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (httpx.ConnectError, ServerUnreachable),
        (httpx.ConnectTimeout, ServerUnreachable),
        (httpx.RemoteProtocolError, ServerUnreachable),
        (httpx.ReadTimeout, DeadlineExceeded),
        (httpx.PoolTimeout, DeadlineExceeded),
    ],
)
def test_the_name_fits(kind: type[Exception], expected: type[PawsightError]) -> None:
    assert named(kind) is expected
