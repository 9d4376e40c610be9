"""Keeps the C library's heap small: one heap, whose free memory is returned to the system."""

from __future__ import annotations

import asyncio
import ctypes
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pawsight_serving.process.periodic import Periodic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_STATM: Final = Path("/proc/self/statm")
_LOOK_S: Final = 1.0
# glibc's `malloc.h`.
_M_ARENA_MAX: Final = -8
_GROWTH_BYTES: Final = 32 * 1024 * 1024
"""What is left alone: the next call would only ask for it again."""


def keep_one_heap() -> None:
    """Make the C library use one heap instead of one per thread, where it can.

    Call it before threads are started. One thread can then use what another has freed, and a burst
    of requests leaves less memory behind (`benchmarks/gateway_memory.py`).
    """
    _ask("mallopt", _M_ARENA_MAX, 1)


def give_back() -> None:
    """Return the freed memory that the C library keeps to the system, where it can.

    Without this, a process keeps the memory that loading its models took, and grows at each reload
    (`benchmarks/repository_churn.py`).
    """
    _ask("malloc_trim", 0)


def resident_bytes() -> int:
    """Return the resident memory of this process in bytes; 0 where the system does not say."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


@asynccontextmanager
async def giving_back_after_crowds(
    idle_s: Callable[[], float], look_s: float = _LOOK_S
) -> AsyncIterator[None]:
    """During the `async with` body, call `give_back` when a burst of requests is over.

    Args:
        idle_s: returns for how many seconds nobody has been served.
        look_s: seconds between two looks, and for which nobody must have been served.
    """
    least = resident_bytes()

    async def look() -> None:
        nonlocal least
        now = resident_bytes()
        least = min(least, now)
        if idle_s() >= look_s and now > least + _GROWTH_BYTES:
            await asyncio.to_thread(give_back)
            least = resident_bytes()

    looking = Periodic(look, look_s, "memory could not be given back")
    looking.start()
    try:
        yield
    finally:
        await looking.stop()


def _ask(function: str, *values: int) -> None:
    """Call a function of the C library's allocator; not every one has it."""
    found = getattr(ctypes.CDLL(None), function, None)
    if found is not None:
        found(*values)
