"""What every request carries through each stage and each process."""

from __future__ import annotations

import asyncio
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pawsight_serving.deadlines import Deadline

UNFORESEEN: Final = "The server failed; try again, and report the request id if it fails again."
STOPPING: Final = (
    "The server is stopping and did not finish the request; send it again in a moment."
)
"""What an `Unavailable` says where a server's end cuts a request off."""

_FIT_FOR_LOGS: Final = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


@dataclass(frozen=True, slots=True)
class Call:
    """The id that stands in every log line and answer, and the time that is left."""

    request_id: str
    deadline: Deadline


def caller_left() -> bool:
    """Whether the running task itself was cancelled, and not something that it waits for.

    To be asked where `asyncio.CancelledError` is caught: an answer is owed unless its caller left.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def accept_request_id(given: str | None) -> str:
    """Return the caller's id where it is fit for headers and logs, else a new one."""
    if given is not None and _FIT_FOR_LOGS.fullmatch(given):
        return given
    return uuid.uuid4().hex
