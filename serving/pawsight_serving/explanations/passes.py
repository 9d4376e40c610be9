"""Runs the passes of one request on the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.engines.protocol import Engine
    from pawsight_serving.requests.deadlines import Deadline
    from pawsight_serving.threads.thread_pool import ThreadPool

T = TypeVar("T")


class EnginePasses:
    """Runs graphs of one version within one deadline; see `methods.protocol.Passes`.

    Once the caller has left, no further pass is run.
    """

    def __init__(
        self, engine: Engine, workers: ThreadPool, version: str, deadline: Deadline
    ) -> None:
        self._engine = engine
        self._workers = workers
        self._version = version
        self._deadline = deadline

    async def run(
        self, graph: str, images: NDArray[np.uint8], outputs: Sequence[str]
    ) -> Mapping[str, NDArray[np.float32]]:
        """Run a graph on a batch; see `Engine.infer`."""
        return await self._engine.infer(graph, self._version, images, outputs, self._deadline)

    async def work(self, task: Callable[[], T]) -> T:
        """Return what `task` returns, from a thread."""
        return await self._workers.run(task, self._deadline)
