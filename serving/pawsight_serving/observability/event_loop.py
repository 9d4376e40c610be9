"""What the metrics of gateway and sidecar say about their event loop."""

from __future__ import annotations

import asyncio


def unfinished_tasks() -> int:
    """Return how many tasks of the running loop are not done; 0 where no loop runs."""
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return 0
