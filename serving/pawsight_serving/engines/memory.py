"""Giving memory back to the system once a model was loaded or unloaded."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Return to the system what the C library keeps of freed memory, where it can be asked to.

    Sessions are made and run in many threads, and glibc keeps a heap a thread: without this, a
    process holds what was needed to make its sessions alone, and grows with every reload
    (`benchmarks/repository_churn.py`).
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
