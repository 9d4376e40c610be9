from __future__ import annotations

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

from pawsight_serving.engines.triton_errors import is_not_loaded, meant_by
from pawsight_serving.errors import (
    DeadlineExceeded,
    EngineUnavailable,
    OptionInvalid,
    Overloaded,
    PawsightError,
)


@pytest.mark.parametrize(
    ("status", "details", "kind"),
    [
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", DeadlineExceeded),
        ("UNAVAILABLE", "[request id: 7] Request timeout expired", DeadlineExceeded),
        ("UNAVAILABLE", "[request id: 7] Exceeds maximum queue size", Overloaded),
        ("UNAVAILABLE", "failed to connect to all addresses", EngineUnavailable),
        ("INVALID_ARGUMENT", "unexpected shape for input 'image'", OptionInvalid),
    ],
)
def test_a_status_and_its_words_are_an_error_of_ours(
    status: str, details: str, kind: type[PawsightError]
) -> None:
    assert type(meant_by(error(status, details))) is kind


@pytest.mark.parametrize("status", [status.name for status in grpc.StatusCode])
def test_every_status_means_something_and_no_text_of_triton_leaks(status: str) -> None:
    meant = meant_by(error(status, "/models/tiny: boom"))
    assert isinstance(meant, PawsightError)
    assert "boom" not in str(meant)


def test_a_status_without_words_is_no_fault() -> None:
    assert isinstance(meant_by(error("INTERNAL", None)), EngineUnavailable)


@pytest.mark.parametrize(
    ("status", "details", "not_loaded"),
    [
        ("NOT_FOUND", "Request for unknown model: 'tiny' version 9 is not found", True),
        (
            "UNAVAILABLE",
            "Request for unknown model: 'tiny' version 2 is not at ready state",
            True,
        ),
        ("UNAVAILABLE", "failed to connect to all addresses", False),
        ("INTERNAL", "unknown model", False),
        ("NOT_FOUND", None, False),
    ],
)
def test_what_triton_has_not_loaded_is_told_from_what_is_down(
    status: str, details: str | None, not_loaded: bool
) -> None:
    assert is_not_loaded(error(status, details)) == not_loaded


def error(status: str, details: str | None) -> AioRpcError:
    return AioRpcError(grpc.StatusCode[status], Metadata(), Metadata(), details)
