"""What a call brings beside its message, as headers do over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def first_values(metadata: Iterable[tuple[str, Any]] | None) -> dict[str, Any]:
    """Return metadata by key; of a key that was sent several times the first counts, as in HTTP."""
    return dict(reversed(tuple(metadata or ())))
