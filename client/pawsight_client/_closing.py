"""Whether a client is closed, and what is said to calls that were under way then."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from pawsight_client._errors import CLOSED_MEANWHILE, ClientClosed

if TYPE_CHECKING:
    from collections.abc import Iterator


class Closing:
    """Of one client; fit for several threads.

    Attributes:
        begun: whether the client is closed, or being closed.
    """

    def __init__(self) -> None:
        self.begun = False

    def check(self) -> None:
        """Raise ClientClosed where the client is closed."""
        if self.begun:
            raise ClientClosed("The client is closed; open a new one.")

    @contextlib.contextmanager
    def errors_named(self) -> Iterator[None]:
        """Raise ClientClosed for whatever is raised once the client is closed.

        Closed transports raise all sorts of errors, and even a cancellation that nobody asked for.
        """
        try:
            yield
        except (Exception, asyncio.CancelledError) as error:
            if not self.begun or _cancelled():
                raise
            raise ClientClosed(CLOSED_MEANWHILE) from error


def _cancelled() -> bool:
    """Return whether the running task, if there is one, was asked to end."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return task is not None and task.cancelling() > 0
