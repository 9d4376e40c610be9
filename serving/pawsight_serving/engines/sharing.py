"""How calls share the processor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pawsight_serving.execution_providers import Threads
from pawsight_serving.process.processors import usable_processors

Cores = Literal["all", "one"]
"""What a call gets of the processor."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """How calls share the processor.

    Attributes:
        calls: that run at a time.
        cores: "all" gives each call all of them, "one" a core of its own.
        largest_batch: single pictures of calls that wait, run in one batch at most; None leaves
            it to what runs the graph.
        processors: to share.
        gpu: whether a GPU runs the calls where there is one.
        warm_batches: whether loading runs the largest batch once; the first takes twice the time.
    """

    calls: int = field(default_factory=usable_processors)
    cores: Cores = "all"
    largest_batch: int | None = None
    processors: int = field(default_factory=usable_processors)
    gpu: bool = True
    warm_batches: bool = True

    @property
    def threads(self) -> Threads:
        """How a session is threaded."""
        if self.cores == "all":
            return Threads(1, self.processors)
        return Threads(min(self.calls, self.processors), 1)
