"""What was measured, and which of it is best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pawsight_serving.tuning.settings import Setting


@dataclass(frozen=True, slots=True)
class Load:
    """How a server did under so many callers at once, one picture a request."""

    callers: int
    pictures_per_s: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Trial:
    """A setting under one load."""

    setting: Setting
    load: Load


def best(trials: Sequence[Trial], latency_ms: float | None) -> Trial | None:
    """Return the trial of most pictures a second whose p99 is within the target.

    None where no trial is.
    """
    within = [t for t in trials if latency_ms is None or t.load.p99_ms <= latency_ms]
    return max(within, key=lambda trial: trial.load.pictures_per_s, default=None)
