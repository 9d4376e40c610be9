"""The embedded engine: ONNX Runtime in this process."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from pawsight_serving.catalogue import find_model
from pawsight_serving.engines.following import Follower
from pawsight_serving.engines.lineup import Lineup
from pawsight_serving.engines.memory import give_back
from pawsight_serving.engines.sessions import Sharing
from pawsight_serving.errors import EngineUnavailable, ModelNotFound, PawsightError
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX
from pawsight_serving.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.deadlines import Deadline
    from pawsight_serving.engines.protocol import Graphs, Images
    from pawsight_serving.engines.sessions import GraphSession
    from pawsight_serving.repository.manifest import Manifest

logger = logging.getLogger(__name__)


class EmbeddedEngine:
    """Runs the graphs of a repository folder in a pool of threads, and follows the folder.

    Args:
        repository: the folder, in Triton's layout.
        graphs: "hot" leaves the `_explain` graphs on disk, for a process that never runs them.
        sharing: how calls share the processor; without it each call gets all of it.
        poll_s: time between two looks at the folder; None looks at the start alone.
        grace_s: how long a version that is served no more still answers who asks for it by name.
    """

    prepares = True

    def __init__(
        self,
        repository: Path,
        *,
        graphs: Graphs = "all",
        sharing: Sharing | None = None,
        poll_s: float | None = None,
        grace_s: float = 30.0,
    ) -> None:
        sharing = sharing or Sharing(sessions="latency")
        self._lineup = Lineup(grace_s)
        self._follower = Follower(repository, self._lineup, graphs, sharing)
        self._workers = Workers(sharing.calls, "engine")
        self._poll_s = poll_s
        self._following: asyncio.Task[None] | None = None
        self._calls = 0

    async def start(self) -> None:
        """Load every served version and run each graph; see `Engine.start`."""
        await self._follower.start()
        if self._poll_s is not None:
            self._following = asyncio.create_task(self._follow(self._poll_s))

    def manifests(self) -> Sequence[Manifest]:
        """Return what is loaded; see `Engine.manifests`."""
        return self._lineup.manifests

    async def catch_up(self, name: str, version: str, deadline: Deadline) -> None:
        """Look at the folder at once; see `Engine.catch_up`."""
        if self._poll_s is not None and self._lineup.get(name, version) is None:
            async with deadline.enforced():
                await self._follower.look()

    async def infer(
        self,
        graph: str,
        version: str,
        images: Images,
        outputs: Sequence[str],
        deadline: Deadline,
    ) -> Mapping[str, NDArray[np.float32]]:
        """Run one graph on a batch; see `Engine.infer`.

        A call keeps the session that it began with: a version that goes meanwhile is released
        when its last call is over.
        """
        session = self._session(graph, version)

        def run() -> list[NDArray[np.float32]]:
            batch = images() if callable(images) else images
            return session.run(batch, outputs, alone=self._calls == 1)

        self._calls += 1
        try:
            async with deadline.enforced():
                results = await self._workers.run(run, deadline)
        except PawsightError:
            raise
        except Exception as error:
            logger.exception("graph %s version %s failed", graph, version)
            raise EngineUnavailable(
                "The engine could not run the model; try again in a moment."
            ) from error
        finally:
            self._calls -= 1
        return dict(zip(outputs, results, strict=True))

    async def close(self) -> None:
        """Finish the calls under way and release the graphs; see `Engine.close`."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._follower.stop()
        self._lineup.clear()
        await asyncio.to_thread(self._workers.close)

    async def _follow(self, poll_s: float) -> None:
        while True:
            await asyncio.sleep(poll_s)
            await self._follower.look()
            if self._lineup.drop_expired(time.monotonic()):
                await asyncio.to_thread(give_back)

    def _session(self, graph: str, version: str) -> GraphSession:
        name = graph.removesuffix(EXPLAIN_SUFFIX)
        found = self._lineup.get(name, version)
        if found is None:
            find_model(self.manifests(), name, version)
        if found is None or graph not in found.sessions:
            raise ModelNotFound(graph, tuple(sorted({m.name for m in self.manifests()})))
        return found.sessions[graph]
