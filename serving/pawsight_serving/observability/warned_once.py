"""Warnings of what is looked at again and again: each is logged once, until it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping


class WarnedOnce:
    """Logs what is wrong when it becomes so; what is mended and breaks again is logged again.

    Args:
        logger: of whoever looks.
        told: what is wrong already and was told of before, as `warn` is told.
    """

    def __init__(self, logger: logging.Logger, told: Mapping[str, str] | None = None) -> None:
        self._logger = logger
        self._warned = dict(told or {})

    def warn(self, faults: Mapping[str, str]) -> None:
        """Take over all that is wrong now: what it is of, and a sentence."""
        for name, fault in faults.items():
            if self._warned.get(name) != fault:
                self._logger.warning("%s", fault)
        self._warned = dict(faults)
