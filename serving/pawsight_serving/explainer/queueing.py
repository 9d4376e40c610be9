"""The explainer's queue, and the bound on the memory of one request."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.observability.observation import stage
from pawsight_serving.observability.observed import QUEUE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractContextManager

    from pawsight_serving.requests.admission import Admission, Place

_VALUE_BYTES: Final = 4


class Queue:
    """Lets a few requests work at once; the others wait in order, up to a bound.

    Args:
        admission: the bound on requests in all.
        at_once: how many work at a time.
        max_bytes: of values and drawings that one request may hold at once.
    """

    def __init__(self, admission: Admission, at_once: int, max_bytes: int) -> None:
        self._admission = admission
        self._turns = asyncio.Semaphore(at_once)
        self._max_bytes = max_bytes

    def check_size(self, pictures: int, values: int, drawn_bytes: int) -> None:
        """Raise `OptionInvalid` where a request would hold too much at once.

        Args:
            pictures: how many there are.
            values: float32 values that are held for each of them.
            drawn_bytes: what the drawings of each of them take at most.
        """
        size = pictures * (values * _VALUE_BYTES + drawn_bytes)
        if size > self._max_bytes:
            what = "maps and drawings" if drawn_bytes else "maps"
            raise OptionInvalid(
                f"The answer takes up to {size} bytes of {what}; at most {self._max_bytes} are "
                "held for one request: ask for fewer layers or send fewer pictures."
            )

    def place(self, size: int) -> AbstractContextManager[Place]:
        """Hold a place, and `size` bytes; raise `Overloaded` at once where all are taken."""
        return self._admission.place(size)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and hold it during the `async with` body.

        A request that is cancelled while it waits leaves the queue.
        """
        with stage(QUEUE):
            await self._turns.acquire()
        try:
            yield
        finally:
            self._turns.release()
