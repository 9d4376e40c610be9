from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from pawsight_serving import errors
from pawsight_serving.gateway.http.errors import error_answer, status_of

if TYPE_CHECKING:
    from pawsight_serving.errors import PawsightError


def made(kind: type[PawsightError]) -> PawsightError:
    error = kind.__new__(kind)
    error.args = ("A sentence.",)
    return error


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.ImageInvalid, 400),
        (errors.ImageMissing, 400),
        (errors.ImageTooLarge, 413),
        (errors.OptionInvalid, 400),
        (errors.LayerUnknown, 400),
        (errors.TargetUnknown, 400),
        (errors.MediaTypeUnsupported, 415),
        (errors.ModelNotFound, 404),
        (errors.VersionNotFound, 404),
        (errors.RouteNotFound, 404),
        (errors.Unauthenticated, 401),
        (errors.Overloaded, 429),
        (errors.Unavailable, 503),
        (errors.EngineUnavailable, 503),
        (errors.ExplainerUnavailable, 503),
        (errors.DeadlineExceeded, 504),
        (errors.InternalError, 500),
    ],
)
def test_the_table_is_the_contracts(kind: type[PawsightError], status: int) -> None:
    assert status_of(made(kind)) == status


@pytest.mark.parametrize("kind", list(errors.every_error()))
def test_every_error_has_an_answer(kind: type[PawsightError]) -> None:
    answer = error_answer(made(kind), "id")
    assert answer.status_code >= 400
    assert orjson.loads(answer.body) == {
        "error": "A sentence.",
        "code": kind.code,
        "request_id": "id",
    }
    assert ("retry-after" in answer.headers) == (answer.status_code in {429, 503}) or (
        kind is errors.AddressUnavailable
    )
