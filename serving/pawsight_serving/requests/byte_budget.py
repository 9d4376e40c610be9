"""A bound on the bytes that requests hold together, whichever queue admits them."""

from __future__ import annotations

from typing import Final

_ANY: Final = 2**63


class ByteBudget:
    """Counts the bytes that are held; several admissions may share one.

    Args:
        limit: how many bytes may be held together.
    """

    def __init__(self, limit: int = _ANY) -> None:
        self.limit: Final = limit
        self._held = 0

    @property
    def held(self) -> int:
        """How many bytes are held."""
        return self._held

    def take(self, size: int) -> bool:
        """Count bytes as held, and return True; False where they do not fit."""
        if self._held + size > self.limit:
            return False
        self._held += size
        return True

    def give(self, size: int) -> None:
        """Stop counting bytes as held."""
        self._held -= size
