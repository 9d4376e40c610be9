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

logger = logging.getLogger(__name__)


class Readiness:
    """Asks the engine for a real inference of each model, again and again.

    Args:
        engine: a started engine.
        interval_s: seconds between two rounds.
        timeout_s: seconds that one inference may take.
        tell: is told of each change.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        interval_s: float,
        timeout_s: float,
        tell: Callable[[bool], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._tell = tell
        self._answering: set[str] = set()
        self._ready = False

    @property
    def ready(self) -> bool:
        """Whether every model answered in the last round."""
        return self._ready

    def model_ready(self, name: str) -> bool:
        """Whether this model answered in the last round."""
        return name in self._answering

    async def watch(self) -> None:
        """Probe until cancelled."""
        while True:
            await self.probe()
            await asyncio.sleep(self._interval_s)

    async def probe(self) -> None:
        """Probe each model once, and tell if the outcome changed."""
        models = newest(self._engine.manifests())
        self._answering = {name for name, manifest in models.items() if await self._answers(manifest)}
        await self._set(ready=bool(models) and len(self._answering) == len(models))

    async def close(self) -> None:
        """Be not ready from now on; `watch` must have ended."""
        self._answering = set()
        await self._set(ready=False)

    async def _set(self, *, ready: bool) -> None:
        if ready != self._ready:
            self._ready = ready
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
