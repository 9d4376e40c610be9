"""The engine of the gateway, with what it runs for callers counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pawsight_serving.observability.observation import stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.engines.protocol import Engine, Images
    from pawsight_serving.errors import PawsightError
    from pawsight_serving.gateway.open_inference.statistics import Statistics
    from pawsight_serving.repository.manifest import Manifest
    from pawsight_serving.requests.deadlines import Deadline


class CountingEngine:
    """An engine whose executions are counted; see `Engine`.

    Args:
        engine: what runs the graphs.
        statistics: counts every execution.
    """

    def __init__(self, engine: Engine, statistics: Statistics) -> None:
        self._engine = engine
        self._statistics = statistics
        self.prepares = engine.prepares

    async def start(self) -> None:
        """See `Engine.start`."""
        await self._engine.start()

    def manifests(self) -> Sequence[Manifest]:
        """See `Engine.manifests`."""
        return self._engine.manifests()

    def faults(self) -> Mapping[str, PawsightError]:
        """See `Engine.faults`."""
        return self._engine.faults()

    def check_reachable(self) -> None:
        """See `Engine.check_reachable`."""
        self._engine.check_reachable()

    async def catch_up(self, name: str, version: str, deadline: Deadline) -> None:
        """See `Engine.catch_up`."""
        await self._engine.catch_up(name, version, deadline)

    async def close(self) -> None:
        """See `Engine.close`."""
        await self._engine.close()

    async def infer(
        self,
        graph: str,
        version: str,
        images: Images,
        outputs: Sequence[str],
        deadline: Deadline,
    ) -> Mapping[str, NDArray[np.float32]]:
        """Run one graph on a batch; see `Engine.infer`."""
        pictures = 1 if callable(images) else len(images)
        with stage("inference"), self._statistics.execution(graph, version, pictures):
            return await self._engine.infer(graph, version, images, outputs, deadline)
