"""What Triton's errors are to our callers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from grpc import StatusCode

from pawsight_serving.errors import (
    DeadlineExceeded,
    EngineUnavailable,
    OptionInvalid,
    Overloaded,
    PawsightError,
)

if TYPE_CHECKING:
    from grpc.aio import AioRpcError

logger = logging.getLogger(__name__)

_LATE: Final = DeadlineExceeded, "The deadline passed before Triton answered; allow more time."
_AWAY: Final = "Triton cannot be reached now; try again in a moment."
_FAILED: Final = "Triton cannot run the model now; try again in a moment."

# Of one status several things may have gone wrong: the first whose words stand in Triton's
# message is taken.
_MEANING: Final[tuple[tuple[StatusCode, str, tuple[type[PawsightError], str]], ...]] = (
    (StatusCode.DEADLINE_EXCEEDED, "", _LATE),
    (StatusCode.UNAVAILABLE, "timeout expired", _LATE),
    (
        StatusCode.UNAVAILABLE,
        "maximum queue size",
        (Overloaded, "Triton has too many requests in its queue; try again in a moment."),
    ),
    (StatusCode.UNAVAILABLE, "", (EngineUnavailable, _AWAY)),
    (
        StatusCode.INVALID_ARGUMENT,
        "",
        (OptionInvalid, "The model does not take these pictures or has no such output."),
    ),
)


def meant_by(error: AioRpcError) -> PawsightError:
    """Return our error for one of Triton's or of the way to it.

    What Triton says of a fault of its own goes to the log, and nowhere else.
    """
    status, details = error.code(), error.details() or ""
    for known, words, (kind, sentence) in _MEANING:
        if status is known and words in details.lower():
            return kind(sentence)
    logger.warning("Triton answers %s: %s", status.name, details)
    return EngineUnavailable(_FAILED)


def away() -> EngineUnavailable:
    """Return the error of a Triton that cannot be reached."""
    return EngineUnavailable(_AWAY)


def is_not_loaded(error: AioRpcError) -> bool:
    """Whether Triton no longer has the model or the version, or not yet."""
    return (
        error.code() in {StatusCode.NOT_FOUND, StatusCode.UNAVAILABLE}
        and "unknown model" in (error.details() or "").lower()
    )
