"""Ends the parts of a process in order, whatever goes wrong with one of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)


async def end_in_order(*ends: Callable[[], Awaitable[object]]) -> None:
    """End one part after the other; one that fails to end is logged, and keeps no other from it."""
    for end in ends:
        try:
            await end()
        except Exception:
            logger.exception("a part of the process did not end as it should")
