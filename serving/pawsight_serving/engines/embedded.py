"""The embedded engine: ONNX Runtime in this process."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pawsight_serving.engines.following import Follower
from pawsight_serving.engines.loaded_versions import LoadedVersions
from pawsight_serving.engines.sharing import Sharing
from pawsight_serving.errors import EngineUnavailable, ModelNotFound, PawsightError
from pawsight_serving.process.memory import give_back
from pawsight_serving.process.periodic import Periodic
from pawsight_serving.repository.catalogue import find_model
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX
from pawsight_serving.threads.batch_sizes import batches
from pawsight_serving.threads.thread_pool import ThreadPool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pawsight_serving.engines.loading import LoadedVersion
    from pawsight_serving.engines.protocol import Graphs, Images
    from pawsight_serving.engines.sessions import Outputs
    from pawsight_serving.repository.manifest import Manifest
    from pawsight_serving.requests.deadlines import Deadline

logger = logging.getLogger(__name__)


class EmbeddedEngine:
    """Runs the graphs of a repository folder in a pool of threads, and follows the folder.

    Args:
        repository: the folder, in Triton's layout.
        graphs: "hot" leaves the `_explain` graphs on disk, for a process that never runs them.
        sharing: how calls share the processor.
        poll_s: time between two looks at the folder; None looks at the start alone.
        grace_s: how long a version that is no longer served still answers requests that name it.
        without_broken: whether the start goes on for the other models where one is broken.
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
        without_broken: bool = False,
    ) -> None:
        sharing = sharing or Sharing()
        self._loaded_versions = LoadedVersions(grace_s)
        self._follower = Follower(repository, self._loaded_versions, graphs, sharing)
        self._workers = ThreadPool(sharing.calls, "engine")
        self._without_broken = without_broken
        self._following = (
            None
            if poll_s is None
            else Periodic(self._follow, poll_s, "the repository could not be followed")
        )

    async def start(self) -> None:
        """Load every served version and run each graph; see `Engine.start`."""
        await self._follower.start(without_broken=self._without_broken)
        if self._following is not None:
            self._following.start()

    def manifests(self) -> Sequence[Manifest]:
        """Return what is loaded; see `Engine.manifests`."""
        return self._loaded_versions.manifests

    def faults(self) -> Mapping[str, PawsightError]:
        """Return what is wrong with models that are not served; see `Engine.faults`."""
        return self._follower.faults

    def check_reachable(self) -> None:
        """Do nothing: it is here; see `Engine.check_reachable`."""

    async def catch_up(self, name: str, version: str, deadline: Deadline) -> None:
        """Look at the folder at once; see `Engine.catch_up`."""
        if self._following is not None and self._loaded_versions.get(name, version) is None:
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

        A call keeps the version that it began with: one that goes meanwhile is released when its
        last call is over. Single pictures that wait for the hot graph are run in one batch. A call
        of many pictures is run in batches of the engine's sizes or, by the `_explain` graph, one by
        one: others get their turn in between, and no call takes the memory of all its pictures at
        once.
        """
        loaded = self._loaded(graph, version)
        try:
            async with deadline.enforced():
                results = await self._run(loaded, graph, images, outputs, deadline)
        except PawsightError:
            raise
        except Exception as error:
            logger.exception("graph %s version %s failed", graph, version)
            raise EngineUnavailable(
                "The engine could not run the model; try again in a moment."
            ) from error
        return {name: results[name] for name in outputs}

    async def close(self) -> None:
        """Finish the calls under way and release the graphs; see `Engine.close`."""
        if self._following is not None:
            await self._following.stop()
        await self._follower.stop()
        self._loaded_versions.clear()
        await asyncio.to_thread(self._workers.close)

    async def _follow(self) -> None:
        await self._follower.look()
        if self._loaded_versions.drop_expired(time.monotonic()):
            await asyncio.to_thread(give_back)

    async def _run(
        self,
        loaded: LoadedVersion,
        graph: str,
        images: Images,
        outputs: Sequence[str],
        deadline: Deadline,
    ) -> Outputs:
        session = loaded.sessions[graph]

        def made() -> NDArray[np.uint8]:
            return images() if callable(images) else images

        def run(part: slice) -> Outputs:
            return session.run(made()[part], outputs)

        count = 1 if callable(images) else len(images)
        if count == 1 and graph == loaded.manifest.name and session.gives(outputs):
            return await self._workers.run_jointly(loaded.joint, made, deadline)
        results: Outputs = {}
        for part in batches(max(1, count), session.batch_sizes):
            answer = await self._workers.run(partial(run, part), deadline)
            if part == slice(0, count):
                return answer
            _move(answer, results, part, count)
        return results

    def _loaded(self, graph: str, version: str) -> LoadedVersion:
        name = graph.removesuffix(EXPLAIN_SUFFIX)
        found = self._loaded_versions.get(name, version)
        if found is None:
            find_model(self.manifests(), name, version, broken=self.faults())
        if found is None or graph not in found.sessions:
            raise ModelNotFound(graph, tuple(sorted({m.name for m in self.manifests()})))
        return found


def _move(answer: Outputs, results: Outputs, part: slice, count: int) -> None:
    """Move a part's answer to its place among `count` pictures'.

    Name by name: no more than one output is held twice.
    """
    while answer:
        name, values = answer.popitem()
        if name not in results:
            results[name] = np.empty((count, *values.shape[1:]), values.dtype)
        results[name][part] = values
