"""The explanations that the gateway has at hand: those of the prediction's own pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pawsight_serving.explainer.found import explained_by, explanations_of
from pawsight_serving.explainer.passes import EnginePasses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pawsight_serving.deadlines import Deadline
    from pawsight_serving.decoding import Decoder
    from pawsight_serving.engines.protocol import Engine
    from pawsight_serving.explainer.explanations import Explained, Query
    from pawsight_serving.explainer.methods.protocol import Method
    from pawsight_serving.repository.manifest import Manifest
    from pawsight_serving.workers import Workers


class OwnExplanations:
    """Answers with maps that the hot graph gives beside its prediction, at a prediction's price.

    Args:
        engine: a started engine.
        decoder: what decodes pictures.
        workers: the threads to compute maps in.
    """

    def __init__(self, engine: Engine, decoder: Decoder, workers: Workers) -> None:
        self._engine = engine
        self._decoder = decoder
        self._workers = workers

    def has(self, manifest: Manifest, name: str, query: Query, method: Method) -> bool:
        """Return whether one pass of the hot graph has the answer, and nothing is to be drawn."""
        plain = query.drawing is None and not query.faithfulness
        return plain and name == "grad-cam" and method.graph == manifest.name

    async def explain(
        self,
        manifest: Manifest,
        name: str,
        method: Method,
        pictures: Sequence[bytes],
        deadline: Deadline,
    ) -> Explained:
        """Return predictions and explanations of encoded pictures; see `Explainer.explain`."""
        images = await self._decoder.decode(pictures, manifest.input_size, deadline)
        passes = EnginePasses(self._engine, self._workers, manifest.version, deadline)
        found = await method.explain(images, passes)
        return explained_by(name, manifest, method.graph, found, explanations_of(manifest, found))
