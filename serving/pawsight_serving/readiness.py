"""Ready means: each model has just answered a real inference, a caller's or one of our own."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pawsight_serving.errors import EngineUnavailable, PawsightError
from pawsight_serving.observability.warned_once import WarnedOnce
from pawsight_serving.process.periodic import Periodic
from pawsight_serving.repository.catalogue import newest
from pawsight_serving.requests.deadlines import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pawsight_serving.engines.protocol import Engine
    from pawsight_serving.repository.manifest import Manifest
    from pawsight_serving.settings import SharedSettings

logger = logging.getLogger(__name__)


class ReadinessListener(Protocol):
    """Is shown what a round found."""

    def __call__(self, models: dict[str, bool], *, ready: bool) -> None:
        """Take which models answer, and whether all do."""


class Readiness:
    """Watches each model answer; asks for an inference of its own where no caller has.

    Args:
        engine: the engine; started before this.
        settings: how often to ask, and how long to wait for the answer.
    """

    def __init__(self, engine: Engine, settings: SharedSettings) -> None:
        self._engine = engine
        self._interval_s = settings.probe_interval_s
        self._timeout_s = settings.probe_timeout_s
        self._answered_s: dict[str, float] = {}
        self._models: tuple[str, ...] = ()
        self._answering: frozenset[str] = frozenset()
        self._ready = False
        self._told = False
        # A round comes every second or two: a failure that lasts must not fill the log.
        self._warnings = WarnedOnce(logger)
        self._tell: Callable[[bool], None] | None = None
        self._see: ReadinessListener | None = None
        self._watch = Periodic(self._ask, self._interval_s, "readiness could not be told")

    @property
    def ready(self) -> bool:
        """Whether every model that is loaded answered in the last round."""
        return self._ready

    def model_ready(self, name: str) -> bool:
        """Whether this model answered in the last round."""
        return name in self._answering

    def record_success(self, name: str) -> None:
        """Record that this model has just answered a caller."""
        self._answered_s[name] = time.monotonic()

    async def start(
        self, tell: Callable[[bool], None], see: ReadinessListener | None = None
    ) -> None:
        """Check every model once, then again and again in the background.

        Args:
            tell: is called at each change.
            see: is shown, after each round, which models answer, broken ones included, and
                whether all that are loaded do.
        """
        self._tell, self._see = tell, see
        await self._watch.run()
        self._watch.start()

    async def stop(self) -> None:
        """Stop checking, and report not ready from now on."""
        await self._watch.stop()
        self._set(frozenset(), ready=False)

    async def _ask(self) -> None:
        try:
            models = newest(self._engine.manifests())
            broken: Collection[str] = self._engine.faults()
        except EngineUnavailable:
            # Not reached yet: its own log says so, and the watch goes on.
            models, broken = {}, ()
        # Side by side: several that hang must not add up.
        found = await asyncio.gather(*map(self._fault, models.values()))
        faults = {name: fault for name, fault in zip(models, found, strict=True) if fault}
        self._warnings.warn(faults)
        # A broken model keeps nobody from the others: a platform sends no requests to who is red.
        self._models = (*models, *broken)
        answering = frozenset(models.keys() - faults.keys())
        self._set(answering, ready=bool(models) and len(answering) == len(models))

    def _set(self, answering: frozenset[str], *, ready: bool) -> None:
        # What is true first: whoever is told of it may fail, and is told again in the next round.
        self._answering, self._ready = answering, ready
        if ready != self._told and self._tell is not None:
            self._tell(ready)
            self._told = ready
        if self._see is not None:
            self._see({name: name in answering for name in self._models}, ready=ready)

    async def _fault(self, manifest: Manifest) -> str:
        """Return why a model counts as not answering; nothing where it answers."""
        now_s = time.monotonic()
        if self._answered_since(now_s - self._interval_s, manifest):
            return ""
        fault = await self._infer(manifest)
        # Behind a crowd of callers our own inference may come too late.
        return "" if self._answered_since(now_s, manifest) else fault

    def _answered_since(self, time_s: float, manifest: Manifest) -> bool:
        return self._answered_s.get(manifest.name, 0.0) > time_s

    async def _infer(self, manifest: Manifest) -> str:
        height, width = manifest.input_size
        blank = np.zeros((1, height, width, 3), np.uint8)
        deadline = Deadline.after(self._timeout_s)
        try:
            async with deadline.enforced():
                outputs = await self._engine.infer(
                    manifest.name, manifest.version, blank, ("probabilities",), deadline
                )
        except PawsightError as error:
            return f"{manifest.name} does not answer: {error}"
        except Exception:
            # Whatever an engine raises, the watch goes on.
            logger.exception("%s does not answer", manifest.name)
            return f"{manifest.name} does not answer, as the error above says"
        if not np.isfinite(outputs["probabilities"]).all():
            return f"{manifest.name} answers with values that are not numbers; export it again"
        return ""
