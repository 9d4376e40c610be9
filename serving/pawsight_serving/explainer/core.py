"""The explainer's core: explains and draws, independent of the protocol."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explainer.renderer import Renderer
from pawsight_serving.explanations.composition import explained_by, explanations_of
from pawsight_serving.explanations.faithfulness import measure_faithfulness
from pawsight_serving.explanations.methods.registry import DEFAULT_METHOD, METHODS, find_method
from pawsight_serving.explanations.passes import EnginePasses
from pawsight_serving.explanations.results import ClassMap
from pawsight_serving.observability.observation import explaining_by, stage
from pawsight_serving.repository.catalogue import find_model
from pawsight_serving.repository.graphs import Outputs, find_graph
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pawsight_serving.engines.protocol import Engine
    from pawsight_serving.explainer.metrics import ExplainerMetrics
    from pawsight_serving.explainer.queueing import Queue
    from pawsight_serving.explanations.methods.protocol import Passes
    from pawsight_serving.explanations.queries import Query
    from pawsight_serving.explanations.results import Explained, Explanation
    from pawsight_serving.pictures.decoder import Decoder
    from pawsight_serving.readiness import Readiness
    from pawsight_serving.repository.manifest import Manifest
    from pawsight_serving.requests.deadlines import Deadline
    from pawsight_serving.threads.thread_pool import ThreadPool


class Explainer:
    """Explains pictures with an engine's graphs, and draws the explanations.

    Args:
        engine: a started engine.
        decoder: decodes pictures.
        render_threads: the threads to draw in, and to compute maps in.
        queue: bounds what is worked on at once.
        readiness: is told of every answer of the engine.
        metrics: the metrics of this process.
        default_model: answers requests that name none.
        max_overlay_side: pixels that a drawing over a picture may have, on its longer side.
    """

    def __init__(
        self,
        engine: Engine,
        decoder: Decoder,
        render_threads: ThreadPool,
        queue: Queue,
        readiness: Readiness,
        metrics: ExplainerMetrics,
        *,
        default_model: str,
        max_overlay_side: int,
    ) -> None:
        self._engine = engine
        self._decoder = decoder
        self._render_threads = render_threads
        self._queue = queue
        self._readiness = readiness
        self._metrics = metrics
        self._default_model = default_model
        self._renderer = Renderer(render_threads, decoder.limits, max_overlay_side)

    async def explain(
        self, query: Query, pictures: Sequence[bytes], deadline: Deadline
    ) -> Explained:
        """Return predictions and explanations of encoded pictures, in their order.

        Raises:
            ModelNotFound, VersionNotFound: no such model or version.
            LayerUnknown, TargetUnknown, OptionInvalid: an option does not fit, or the answer
                would be too large.
            ImageMissing, ImageInvalid, ImageTooLarge: a picture cannot be read.
            Overloaded: too many requests are in flight.
            EngineUnavailable: the engine is down.
            DeadlineExceeded: the deadline passed first.
        """
        explaining_by(query.method if query.method in METHODS else DEFAULT_METHOD)
        with self._queue.place(sum(map(len, pictures))):
            await self._catch_up(query.model, query.version, deadline)
            manifest = find_model(
                self._engine.manifests(),
                query.model,
                query.version,
                default=self._default_model,
                broken=self._engine.faults(),
            )
            name, method = find_method(manifest, query)
            query.check_values(method.shapes, len(pictures))
            drawn = self._renderer.most_bytes(query.drawing, method.shapes)
            self._queue.check_size(len(pictures), method.values_per_picture, drawn)
            self._engine.check_reachable()
            images = await self._decoder.decode(pictures, manifest.input_size, deadline)
            passes = EnginePasses(self._engine, self._render_threads, manifest.version, deadline)
            async with self._queue.turn():
                with stage("inference"):
                    found = await method.explain(images, passes)
                    self._readiness.record_success(manifest.name)
                    explanations = explanations_of(manifest, found)
                    if query.faithfulness:
                        explanations = await self._measured(manifest, explanations, images, passes)
                explained = explained_by(name, manifest, method.graph, found, explanations)
                if query.drawing is None:
                    return explained
                with stage("render"):
                    return await self._renderer.draw(explained, query.drawing, pictures, deadline)

    async def infer(
        self, graph: str, version: str, pixels: bytes, outputs: Sequence[str], deadline: Deadline
    ) -> Outputs:
        """Return outputs of a graph as they are.

        Args:
            graph: `NAME` or `NAME_explain`.
            version: empty means the newest.
            pixels: RGB, uint8, [batch, height, width, 3] in the model's input size.
            outputs: names of outputs of this graph.
            deadline: when the answer is no longer of use.

        Raises:
            ModelNotFound, VersionNotFound: no such graph or version.
            OptionInvalid: an output that the graph has not, or none, or half a picture.
            ImageMissing, RequestError: no picture, or too many.
            Overloaded, EngineUnavailable, DeadlineExceeded: as `explain`.
        """
        with self._queue.place(len(pixels)):
            await self._catch_up(graph.removesuffix(EXPLAIN_SUFFIX), version, deadline)
            found = find_graph(
                self._engine.manifests(),
                graph,
                version,
                default=self._default_model,
                broken=self._engine.faults(),
            )
            if not outputs or not found.outputs.keys() >= set(outputs):
                raise OptionInvalid(f"Name outputs of {found.name}: {', '.join(found.outputs)}.")
            height, width = found.manifest.input_size
            count, rest = divmod(len(pixels), height * width * 3)
            if rest:
                raise OptionInvalid(f"The pixels must be of pictures of {height}x{width}.")
            self._decoder.check_count(count)
            images = np.frombuffer(pixels, np.uint8).reshape(count, height, width, 3)
            async with self._queue.turn():
                with stage("inference"):
                    values = await self._engine.infer(
                        found.name, found.manifest.version, images, outputs, deadline
                    )
            self._readiness.record_success(found.manifest.name)
            return Outputs(values, found.manifest.graph_digest(found.name))

    def metrics(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return self._metrics.exposition()

    async def _catch_up(self, name: str, version: str, deadline: Deadline) -> None:
        """Load a version that the gateway has loaded before this process did."""
        if name and version:
            await self._engine.catch_up(name, version, deadline)

    async def _measured(
        self,
        manifest: Manifest,
        explanations: Sequence[Explanation],
        images: NDArray[np.uint8],
        passes: Passes,
    ) -> list[Explanation]:
        """Return the explanations with the faithfulness of those that hold evidence."""
        per_picture = len(explanations) // len(images)
        measured = []
        for number, explanation in enumerate(explanations):
            maps, image = explanation.maps, images[number // per_picture]
            if isinstance(maps, ClassMap) and maps.evidence:
                faithfulness = await measure_faithfulness(
                    manifest.name, image, maps, manifest.classes, passes
                )
                measured.append(replace(explanation, faithfulness=faithfulness))
            else:
                measured.append(explanation)
        return measured
