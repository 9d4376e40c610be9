"""Ready means: each model has just answered a real inference."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import numpy as np

from pawsight_serving.catalogue import newest
from pawsight_serving.deadlines import Deadline
from pawsight_serving.errors import PawsightError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pawsight_serving.engines.protocol import Engine
    from pawsight_serving.repository.manifest import Manifest
    from pawsight_serving.settings import EngineSettings

logger = logging.getLogger(__name__)


class Readiness:
    """Asks the engine for a real inference of each model, again and again.

    Args:
        engine: the engine; started before this.
        settings: how often to ask, and how long to wait for the answer.
    """

    def __init__(self, engine: Engine, settings: EngineSettings) -> None:
        self._engine = engine
        self._interval_s = settings.probe_interval_s
        self._timeout_s = settings.probe_timeout_s
        self._answering: frozenset[str] = frozenset()
        self._ready = False
        self._tell: Callable[[bool], Awaitable[None]] | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether every model answered in the last round."""
        return self._ready

    def model_ready(self, name: str) -> bool:
        """Whether this model answered in the last round."""
        return name in self._answering

    async def start(self, tell: Callable[[bool], Awaitable[None]]) -> None:
        """Ask once, then again and again; `tell` hears of each change."""
        self._tell = tell
        await self._ask()
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Be not ready from now on."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._set(frozenset(), ready=False)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            await self._ask()

    async def _ask(self) -> None:
        models = newest(self._engine.manifests())
        answering = frozenset(
            [name for name, manifest in models.items() if await self._answers(manifest)]
        )
        await self._set(answering, ready=bool(models) and len(answering) == len(models))

    async def _set(self, answering: frozenset[str], *, ready: bool) -> None:
        self._answering = answering
        if ready != self._ready:
            self._ready = ready
            if self._tell is not None:
                await self._tell(ready)

    async def _answers(self, manifest: Manifest) -> bool:
        height, width = manifest.input_size
        blank = np.zeros((1, height, width, 3), np.uint8)
        deadline = Deadline.after(self._timeout_s)
        try:
            async with deadline.enforced():
                outputs = await self._engine.infer(
                    manifest.name, manifest.version, blank, ("probabilities",), deadline
                )
        except PawsightError as error:
            logger.warning("%s does not answer: %s", manifest.name, error)
            return False
        return bool(np.isfinite(outputs["probabilities"]).all())
