"""A version in a folder as it will be served: through the embedded engine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from pawsight_serving.deadlines import Deadline
from pawsight_serving.engines.embedded import EmbeddedEngine
from pawsight_serving.engines.sessions import Sharing

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pawsight_serving.repository.manifest import Manifest

    Outputs = Mapping[str, NDArray[np.float32]]

_BATCH = 8
_BATCH_TIMEOUT_S = 120.0

A = TypeVar("A")


class StagedEngine:
    """The embedded engine on a folder, loaded once for as long as it is entered.

    Args:
        folder: in the repository's layout.
        manifest: of the version in it to ask.
        gpu: whether a GPU answers where there is one.
    """

    def __init__(self, folder: Path, manifest: Manifest, *, gpu: bool = True) -> None:
        self._version = manifest.version
        self._engine = EmbeddedEngine(folder, sharing=Sharing(gpu=gpu))
        self._loop = asyncio.Runner()

    def __enter__(self) -> Self:
        self._loop.__enter__()
        try:
            self.run(self._engine.start())
        except BaseException:
            self._loop.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.run(self._engine.close())
        finally:
            self._loop.close()

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
                self._version,
                np.array(pictures[start : start + _BATCH]),
                outputs,
                Deadline.after(_BATCH_TIMEOUT_S),
            )
            for start in range(0, len(pictures), _BATCH)
        ]
        return {name: np.concatenate([batch[name] for batch in batches]) for name in outputs}
