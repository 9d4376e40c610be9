"""A request's id and deadline, which go with it through every stage and process."""

from __future__ import annotations

import asyncio
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

if TYPE_CHECKING:
    from pawsight_serving.requests.deadlines import Deadline

UNFORESEEN: Final = "The server failed; try again, and report the request id if it fails again."
STOPPING: Final = (
    "The server is stopping and did not finish the request; send it again in a moment."
)
"""What an `Unavailable` says where a server's end cuts a request off."""

_FIT_FOR_LOGS: Final = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


@dataclass(frozen=True, slots=True)
class Call:
    """One request's id, as in every log line and answer, and its deadline."""

    request_id: str
    deadline: Deadline


_SHUT_DOWN: Final = WeakSet[asyncio.Task[Any]]()


def task_was_cancelled() -> bool:
    """Return whether the running task itself was cancelled, and not something that it waits for.

    Use it where `asyncio.CancelledError` is caught: unless the caller left, it must get an answer.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0 and task not in _SHUT_DOWN


def cancel_for_shutdown(task: asyncio.Task[Any]) -> None:
    """Cancel the work on a request because the server stops; its caller is still owed an answer."""
    _SHUT_DOWN.add(task)
    task.cancel()


def cancelled_for_shutdown() -> bool:
    """Whether the running task was cancelled by `cancel_for_shutdown`."""
    return asyncio.current_task() in _SHUT_DOWN


def accept_request_id(given: str | None) -> str:
    """Return the caller's request id if headers and logs can hold it, else a new one."""
    if given is not None and _FIT_FOR_LOGS.fullmatch(given):
        return given
    return uuid.uuid4().hex
