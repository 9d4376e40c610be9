"""How many processors this process may use, which may be fewer than the machine has."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Final

_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")


def usable_processors(quota: Path = _QUOTA) -> int:
    """Return the whole processors that the scheduler and the container leave to this process.

    Args:
        quota: the container's limit, as Linux's control groups tell it ("MICROSECONDS PERIOD").
    """
    try:
        here = len(os.sched_getaffinity(0))
    except AttributeError:
        # Not every system has it.
        here = os.cpu_count() or 1
    try:
        allowed, period = quota.read_text().split()
        return max(1, min(here, math.ceil(int(allowed) / int(period))))
    except (OSError, ValueError):
        # No container, or one without a limit ("max").
        return here
