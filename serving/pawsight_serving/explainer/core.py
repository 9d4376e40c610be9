"""What the explainer does, whichever protocol asks for it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pawsight_serving.catalogue import find_model
from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explainer.explanations import Explained, Explanation
from pawsight_serving.explainer.methods.registry import DEFAULT_METHOD, METHODS
from pawsight_serving.explainer.rendering.drawing import draw_png
from pawsight_serving.graphs import Outputs, find_graph
from pawsight_serving.observation import stage
from pawsight_serving.predictions import predicted_by
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pawsight_serving.admission import Admission
    from pawsight_serving.deadlines import Deadline
    from pawsight_serving.decoding import Decoder
    from pawsight_serving.engines.protocol import Engine
    from pawsight_serving.explainer.explanations import Query
    from pawsight_serving.readiness import Readiness
    from pawsight_serving.workers import Workers


class Explainer:
    """Explains with an engine's graphs, and draws what it found.

    Args:
        engine: a started engine.
        decoder: what decodes pictures.
        painters: the threads to draw in.
        admission: the bound on requests in flight.
        readiness: hears of every answer of the engine.
        default_model: answers requests that name none.
        max_overlay_side: pixels that a drawing over a picture may have, on its longer side.
    """

    def __init__(
        self,
        engine: Engine,
        decoder: Decoder,
        painters: Workers,
        admission: Admission,
        readiness: Readiness,
        *,
        default_model: str,
        max_overlay_side: int,
    ) -> None:
        self._engine = engine
        self._decoder = decoder
        self._painters = painters
        self._admission = admission
        self._readiness = readiness
        self._default_model = default_model
        self._max_side = max_overlay_side

    async def explain(
        self, query: Query, pictures: Sequence[bytes], deadline: Deadline
    ) -> Explained:
        """Return predictions and explanations of encoded pictures, in their order.

        Raises:
            ModelNotFound, VersionNotFound: no such model or version.
            LayerUnknown, TargetUnknown, OptionInvalid: an option does not fit.
            ImageMissing, ImageInvalid, ImageTooLarge: a picture cannot be read.
            Overloaded: too many requests are in flight.
            EngineUnavailable: the engine is down.
            DeadlineExceeded: the deadline passed first.
        """
        with self._admission.place():
            return await self._explain(query, pictures, deadline)

    async def infer(
        self, graph: str, version: str, pixels: bytes, outputs: Sequence[str], deadline: Deadline
    ) -> Outputs:
        """Return outputs of a graph as they are.

        Args:
            graph: `NAME` or `NAME_explain`.
            version: empty means the newest.
            pixels: RGB, uint8, [batch, height, width, 3] in the model's input size.
            outputs: names of outputs of this graph.
            deadline: when the answer is of no use any more.

        Raises:
            ModelNotFound, VersionNotFound: no such graph or version.
            OptionInvalid: an output that the graph has not, or none, or half a picture.
            ImageMissing, RequestError: no picture, or too many.
            Overloaded, EngineUnavailable, DeadlineExceeded: as `explain`.
        """
        with self._admission.place():
            await self._catch_up(graph.removesuffix(EXPLAIN_SUFFIX), version, deadline)
            found = find_graph(
                self._engine.manifests(), graph, version, default=self._default_model
            )
            if not outputs or not found.outputs.keys() >= set(outputs):
                raise OptionInvalid(f"Name outputs of {found.name}: {', '.join(found.outputs)}.")
            height, width = found.manifest.input_size
            count, rest = divmod(len(pixels), height * width * 3)
            if rest:
                raise OptionInvalid(f"The pixels must be of pictures of {height}x{width}.")
            self._decoder.check_count(count)
            images = np.frombuffer(pixels, np.uint8).reshape(count, height, width, 3)
            values = await self._engine.infer(
                found.name, found.manifest.version, images, outputs, deadline
            )
            self._readiness.saw_answer(found.manifest.name)
            return Outputs(values, found.manifest.graph_digest(found.name))

    async def _catch_up(self, name: str, version: str, deadline: Deadline) -> None:
        """Load what the gateway has seen already: it may be a moment ahead."""
        if name and version:
            await self._engine.catch_up(name, version, deadline)

    async def _explain(
        self, query: Query, pictures: Sequence[bytes], deadline: Deadline
    ) -> Explained:
        await self._catch_up(query.model, query.version, deadline)
        manifest = find_model(
            self._engine.manifests(), query.model, query.version, default=self._default_model
        )
        name = query.method or DEFAULT_METHOD
        if name not in METHODS:
            raise OptionInvalid(f"Method {name!r} is not one of: {', '.join(METHODS)}.")
        method = METHODS[name](manifest, query)
        images = await self._decoder.decode(pictures, manifest.input_size, deadline)
        outputs = await self._engine.infer(
            method.graph, manifest.version, images, ("probabilities", method.output), deadline
        )
        self._readiness.saw_answer(manifest.name)
        predicted = predicted_by(manifest, method.graph, outputs["probabilities"])
        maps = [
            method.read(values, prediction.label)
            for values, prediction in zip(
                outputs[method.output], predicted.predictions, strict=True
            )
        ]
        drawings = [b""] * len(maps)
        if query.draw:
            with stage("render"):
                drawings = await self._painters.run_each(
                    [
                        partial(draw_png, found, picture, self._decoder.limits, self._max_side)
                        for found, picture in zip(maps, pictures, strict=True)
                    ],
                    deadline,
                )
        return Explained(name, predicted, tuple(map(Explanation, maps, drawings)))
