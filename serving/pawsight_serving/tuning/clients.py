"""Which client loads a server: perf_analyzer where it measures, our own where it does not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.tuning import perf_analyzer
from pawsight_serving.tuning.built_in_client import BuiltInClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pawsight_serving.triton_server.environment import Environment
    from pawsight_serving.tuning.measurements import Load
    from pawsight_serving.tuning.search import Client

logger = logging.getLogger(__name__)


class WithFallback:
    """Measures with one client, and with another from the first failure on.

    One table is never made of two clients' figures unsaid: the change is told, and stays.

    Args:
        first: is asked until it fails.
        second: is asked from then on.
        say: is told of the change.
    """

    def __init__(self, first: Client, second: Client, say: Callable[[str], None]) -> None:
        self._client = first
        self._second = second
        self._say = say

    @property
    def name(self) -> str:
        """The name of the client that measures now."""
        return self._client.name

    async def measure(self, address: str, model: str, callers: int, seconds: float) -> Load:
        """Return how a model does under so many callers.

        Raises:
            EngineUnavailable, Overloaded: the second client cannot measure it either.
        """
        if self._client is not self._second:
            try:
                return await self._client.measure(address, model, callers, seconds)
            except EngineUnavailable as error:
                logger.warning("%s: %s", error, error.__cause__)
                self._client = self._second
                self._say(f"{error} From here on the load comes from {self.name}.")
        return await self._second.measure(address, model, callers, seconds)


def choose_client(
    environment: Environment, cache: Path, say: Callable[[str], None], *, own: bool = False
) -> Client:
    """Return the client to measure with.

    Args:
        environment: where Triton is installed.
        cache: the folder that perf_analyzer is kept in.
        say: is told where perf_analyzer cannot be had, or fails later.
        own: leaves perf_analyzer out.
    """
    if own:
        return BuiltInClient()
    try:
        return WithFallback(perf_analyzer.prepare(environment, cache, say), BuiltInClient(), say)
    except EngineUnavailable as error:
        say(f"{error} The load comes from {BuiltInClient.name} instead.")
        return BuiltInClient()
