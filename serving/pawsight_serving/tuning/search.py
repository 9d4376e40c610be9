"""Every setting under every load, within a bound of time."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pawsight_serving.errors import PawsightError
from pawsight_serving.tuning.measurements import Load, Trial
from pawsight_serving.tuning.report import row
from pawsight_serving.tuning.trial_server import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pawsight_serving.triton_server.environment import Environment
    from pawsight_serving.tuning.settings import Setting

logger = logging.getLogger(__name__)


class Client(Protocol):
    """What loads a server."""

    @property
    def name(self) -> str:
        """What the tables call it."""
        ...

    async def measure(self, address: str, model: str, callers: int, seconds: float) -> Load:
        """Return how a model does under so many callers."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long to search: seconds a measurement, and seconds after which no setting is begun."""

    measure_s: float
    limit_s: float


async def search(
    environment: Environment,
    client: Client,
    repository: Path,
    model: tuple[str, str],
    settings: Sequence[Setting],
    callers: Sequence[int],
    bounds: Bounds,
    say: Callable[[str], None],
) -> list[Trial]:
    """Measure settings one after the other, each in a Triton of its own.

    Args:
        environment: where Triton is installed.
        client: what loads it.
        repository: the model repository; nothing is written there.
        model: name and version.
        settings: what to try.
        callers: the loads to try each under.
        bounds: of time.
        say: is told each measurement as it is made.

    Returns:
        The trials; a setting that Triton cannot serve is said and left out.
    """
    name, version = model
    trials: list[Trial] = []
    begin_s = time.monotonic()
    for done, setting in enumerate(settings):
        if time.monotonic() - begin_s > bounds.limit_s:
            say(f"Time is up; {len(settings) - done} of {len(settings)} settings were not tried.")
            break
        try:
            async with serving(environment, repository, name, version, setting) as address:
                for each in callers:
                    load = await client.measure(address, name, each, bounds.measure_s)
                    trials.append(Trial(setting, load))
                    say(f"{row(trials[-1])}   {done + 1}/{len(settings)}")
        except PawsightError as error:
            logger.warning("%s: %s", error, error.__cause__)
            say(f"{setting} is left out: {error}")
    return trials
