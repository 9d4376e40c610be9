"""How a process that holds models gets memory from the system, and gives it back."""

from __future__ import annotations

import ctypes
from typing import Final

# Of glibc's malloc.h.
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

_ARENAS: Final = 2
_LARGE_BYTES: Final = 1024 * 1024


def hold_little() -> None:
    """Keep the heaps small, where the C library is glibc; to be called before threads start.

    It would keep a heap for every thread, of which there are dozens here, and keep freed blocks of
    up to 32 MiB in them, such as the copies of weights that a session is made of. With this there
    are two heaps, and a large block goes back to the system when it is freed.
    """
    if (setting := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        setting(_M_ARENA_MAX, _ARENAS)
        setting(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def give_back() -> None:
    """Return to the system what the C library keeps of freed memory, where it can be asked to.

    Sessions are made and run in many threads: without this, a process holds what was needed to
    make its sessions alone, and grows with every reload (`benchmarks/repository_churn.py`).
    """
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)
