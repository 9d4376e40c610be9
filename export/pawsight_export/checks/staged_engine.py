"""One version in a folder as it will be served, or would be: through the embedded engine."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from pawsight_serving.engines.embedded import EmbeddedEngine
from pawsight_serving.engines.sharing import Sharing
from pawsight_serving.repository.triton_config import CONFIG_FILE, model_config, write_config
from pawsight_serving.requests.deadlines import Deadline

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from numpy.typing import NDArray

    from pawsight_serving.repository.manifest import Manifest

    Outputs = Mapping[str, NDArray[np.float32]]

_BATCH = 8
_BATCH_TIMEOUT_S = 120.0

A = TypeVar("A")


class StagedEngine:
    """The embedded engine on one version, loaded once for as long as it is entered.

    Args:
        folder: in the repository's layout.
        manifest: of the version in it to ask, whether it is served or not.
        gpu: whether a GPU answers where there is one.
    """

    def __init__(self, folder: Path, manifest: Manifest, *, gpu: bool = True) -> None:
        self._folder = folder.absolute()
        self._manifest = manifest
        self._alone = tempfile.TemporaryDirectory(prefix="pawsight-version-")
        self._engine = EmbeddedEngine(Path(self._alone.name), sharing=Sharing(gpu=gpu))
        self._loop = asyncio.Runner()

    def __enter__(self) -> Self:
        try:
            self._set_apart()
            self.run(self._engine.start())
        except BaseException:
            self._loop.close()
            self._alone.cleanup()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.run(self._engine.close())
        finally:
            self._loop.close()
            self._alone.cleanup()

    def _set_apart(self) -> None:
        """Make a repository that serves this version and no other."""
        for graph in self._manifest.graphs:
            model = Path(self._alone.name) / graph
            model.mkdir()
            version = self._manifest.version
            (model / version).symlink_to(self._folder / graph / version)
            config = model_config([self._manifest], graph)
            (model / CONFIG_FILE).write_text(write_config(config))

    def run(self, work: Coroutine[Any, Any, A]) -> A:
        """Return what `work` returns; it may await `answer`."""
        return self._loop.run(work)

    def infer(self, graph: str, pictures: NDArray[np.uint8], outputs: Sequence[str]) -> Outputs:
        """Return a graph's outputs for pictures uint8 [N, H, W, 3]."""
        return self.run(self.answer(graph, pictures, outputs))

    async def answer(
        self, graph: str, pictures: NDArray[np.uint8], outputs: Sequence[str]
    ) -> Outputs:
        """Return a graph's outputs for pictures uint8 [N, H, W, 3], taken in batches."""
        batches = [
            await self._engine.infer(
                graph,
                self._manifest.version,
                np.array(pictures[start : start + _BATCH]),
                outputs,
                Deadline.after(_BATCH_TIMEOUT_S),
            )
            for start in range(0, len(pictures), _BATCH)
        ]
        return {name: np.concatenate([batch[name] for batch in batches]) for name in outputs}
