"""A published model whose maps are looked at, as it is served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from pawsight_export.checks.staged_engine import StagedEngine
from pawsight_serving.explanations.methods.registry import find_method
from pawsight_serving.explanations.queries import Query
from pawsight_serving.explanations.results import ClassMap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pawsight_serving.repository.manifest import Manifest

    Values = NDArray[np.float32]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CheckedModel:
    """One version of a model in a repository folder."""

    repository: Path
    manifest: Manifest

    def probabilities(self, pictures: NDArray[np.uint8]) -> Values:
        """Return the hot graph's probabilities, [N, C]."""
        with StagedEngine(self.repository, self.manifest) as engine:
            answers = engine.infer(self.manifest.name, pictures, ("probabilities",))
        return answers["probabilities"]

    def maps(self, method: str, pictures: NDArray[np.uint8]) -> Values:
        """Return a method's maps of the last layer for every class, [N, C, h, w]."""
        _, asked = find_method(self.manifest, Query(method=method, target="all"))
        with StagedEngine(self.repository, self.manifest) as engine:
            found = engine.run(asked.explain(pictures, _StagedPasses(engine)))
        return np.stack(
            [
                np.stack([each.values for each in maps if isinstance(each, ClassMap)])
                for maps in found.maps
            ]
        )


class _StagedPasses:
    """Runs graphs through a staged engine; see `methods.protocol.Passes`."""

    def __init__(self, engine: StagedEngine) -> None:
        self._engine = engine

    async def run(
        self, graph: str, images: NDArray[np.uint8], outputs: Sequence[str]
    ) -> Mapping[str, Values]:
        return await self._engine.answer(graph, images, outputs)

    async def work(self, task: Callable[[], T]) -> T:
        return task()
