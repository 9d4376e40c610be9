"""Progress of long work, on a terminal alone: logs are spared it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import track

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

T = TypeVar("T")


def tracked(steps: Sequence[T], description: str) -> Iterable[T]:
    """Return the steps, which show how many of them are done as they are taken."""
    console = Console(stderr=True)
    return track(
        steps, description, console=console, transient=True, disable=not console.is_terminal
    )
