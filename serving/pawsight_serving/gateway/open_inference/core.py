"""The core of the Open Inference Protocol, under both HTTP and gRPC."""

from __future__ import annotations

import asyncio
import math
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pawsight_serving.errors import OptionInvalid, VersionNotFound
from pawsight_serving.gateway.open_inference.classification import strongest_classes
from pawsight_serving.gateway.open_inference.image import read_image
from pawsight_serving.gateway.open_inference.tensors import InferenceResult, OutputTensor
from pawsight_serving.observability.observation import stage
from pawsight_serving.predictions import Predictions, read_probabilities
from pawsight_serving.repository.graphs import Outputs, ServedGraph, every_graph, find_graph

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from pawsight_serving.errors import PawsightError
    from pawsight_serving.gateway.open_inference.statistics import Statistics
    from pawsight_serving.gateway.open_inference.tensors import InferenceRequest
    from pawsight_serving.gateway.resources import Resources
    from pawsight_serving.repository.manifest import Manifest
    from pawsight_serving.requests.admission import Place
    from pawsight_serving.requests.calls import Call
    from pawsight_serving.requests.deadlines import Deadline
    from pawsight_serving.settings import GatewaySettings

_FLOAT32_BYTES = 4


class Explainer(Protocol):
    """The process that runs the `_explain` graphs."""

    async def infer(
        self,
        graph: str,
        version: str,
        images: NDArray[np.uint8],
        outputs: Sequence[str],
        call: Call,
    ) -> Outputs:
        """Run a graph; see `ExplainerClient.infer`."""

    async def ready(self, model: str) -> bool:
        """Return whether the explainer answers for this model."""


class OpenInference:
    """Runs the hot graphs with an engine, and asks the explainer for the others' outputs.

    Args:
        resources: engine, decoder, bounds and observer.
        explainer: the process that runs the `_explain` graphs.
        statistics: counts every execution of the explainer; the engine tells it of its own.
        settings: default model and limits.
    """

    def __init__(
        self,
        resources: Resources,
        explainer: Explainer,
        statistics: Statistics,
        settings: GatewaySettings,
    ) -> None:
        self._engine = resources.engine
        self._explainer = explainer
        self._decoder = resources.decoder
        self._admission = resources.admission
        self._explain_admission = resources.explain_admission
        self._readiness = resources.readiness
        self._observer = resources.observer
        self._default_model = settings.default_model
        self._max_answer_bytes = settings.max_answer_bytes
        self.max_pictures = settings.max_pictures
        self.statistics = statistics

    @property
    def ready(self) -> bool:
        """Whether every model has just answered a real inference."""
        return self._readiness.ready

    def graph(self, name: str, version: str = "") -> ServedGraph:
        """Return the graph that a request means.

        Raises:
            ModelNotFound, VersionNotFound, OptionInvalid: as `find_graph`.
        """
        return find_graph(
            self._engine.manifests(),
            name,
            version,
            default=self._default_model,
            broken=self._engine.faults(),
        )

    def graphs(self, name: str = "", version: str = "") -> list[ServedGraph]:
        """Return every graph of every version, or those of this name, or of this version.

        Raises:
            ModelNotFound, VersionNotFound, OptionInvalid: as `find_graph`.
        """
        graphs = every_graph(self._engine.manifests())
        if not name:
            return graphs
        found = self.graph(name, version)
        return [found] if version else [graph for graph in graphs if graph.name == found.name]

    def faults(self) -> Mapping[str, PawsightError]:
        """Return what is wrong with models that are not served; see `Engine.faults`."""
        return self._engine.faults()

    async def graph_ready(self, graph: ServedGraph) -> bool:
        """Return whether this graph answers now."""
        (ready,) = await self.graphs_ready([graph])
        return ready

    async def graphs_ready(self, graphs: Sequence[ServedGraph]) -> list[bool]:
        """Return for each graph whether it answers now; the explainer is asked once a model."""
        explained = sorted({graph.manifest.name for graph in graphs if not graph.hot})
        answers = await asyncio.gather(*map(self._explainer.ready, explained))
        explains = dict(zip(explained, answers, strict=True))
        return [
            self._readiness.model_ready(graph.name) if graph.hot else explains[graph.manifest.name]
            for graph in graphs
        ]

    def place(
        self, graph: ServedGraph, deadline: Deadline, size: int = 0
    ) -> AbstractContextManager[Place]:
        """Hold a place and so many bytes for a request to this graph; see `Admission.place`."""
        if graph.hot:
            return self._admission.place(size, deadline)
        return self._explain_admission.place(size)

    async def infer(self, asked: InferenceRequest, call: Call) -> InferenceResult:
        """Return the outputs asked for; each graph that has some of them runs once.

        The caller holds a `place` for the graph that is named; one for the outputs of the other
        graph is taken here.

        Raises:
            ModelNotFound, VersionNotFound: no such model or version.
            OptionInvalid: an input or output that the model has not, or an answer too large.
            ImageMissing, ImageInvalid, ImageTooLarge, RequestError: the pictures cannot be taken.
            Overloaded: too many requests are in flight, or they leave no time for this one.
            EngineUnavailable, ExplainerUnavailable: who has to answer is down.
            DeadlineExceeded: the deadline passed first.
        """
        try:
            return await self._infer(asked, call)
        except VersionNotFound:
            if asked.version:
                raise
            # It was withdrawn since; what is the newest now answers.
            return await self._infer(asked, call)

    async def _infer(self, asked: InferenceRequest, call: Call) -> InferenceResult:
        graph = self.graph(asked.model, asked.version)
        with ExitStack() as places:
            manifest = graph.manifest
            names = tuple(dict.fromkeys(asked.outputs or graph.outputs))
            sources = graph.sources(names)
            for source, _ in sources:
                if source.hot != graph.hot:
                    places.enter_context(self.place(source, call.deadline))
            sent = read_image(asked.inputs, manifest.input_size)
            self._check_size(sources, len(sent))
            if all(source.hot for source, _ in sources):
                # The explainer's part of a mixed one says nothing of the engine's service time.
                places.enter_context(self._admission.work(len(sent), call.deadline))
                self._engine.check_reachable()
            if isinstance(sent, np.ndarray):
                images = sent
            else:
                images = await self._decoder.decode(sent, manifest.input_size, call.deadline)
            answers: dict[str, OutputTensor] = {}
            for source, wanted in sources:
                outputs = await self._run(source, images, wanted, call)
                for name in wanted:
                    answers[name] = OutputTensor(name, outputs.values[name], outputs.digest)
            self._tell(manifest, answers, sent)
            classified = {
                name: strongest_classes(answers[name], manifest.classes, count)
                for name, count in asked.strongest.items()
            }
            given = [classified.get(name, answers[name]) for name in names]
            return InferenceResult(graph.name, manifest.version, given)

    async def _run(
        self, graph: ServedGraph, images: NDArray[np.uint8], outputs: Sequence[str], call: Call
    ) -> Outputs:
        name, version = graph.name, graph.manifest.version
        if not graph.hot:
            with stage("explain"), self.statistics.execution(name, version, len(images)):
                return await self._explainer.infer(name, version, images, outputs, call)
        values = await self._engine.infer(name, version, images, outputs, call.deadline)
        self._readiness.record_success(name)
        return Outputs(values, graph.manifest.graph_digest(name))

    def _tell(
        self,
        manifest: Manifest,
        answers: Mapping[str, OutputTensor],
        sent: list[bytes] | NDArray[np.uint8],
    ) -> None:
        if (output := answers.get("probabilities")) is not None:
            read = read_probabilities(output.values, manifest.classes)
            predicted = Predictions(manifest.name, manifest.version, output.digest, read)
            self._observer.predicted(predicted, list(sent))

    def _check_size(
        self, sources: Sequence[tuple[ServedGraph, Sequence[str]]], pictures: int
    ) -> None:
        self._decoder.check_count(pictures)
        floats = sum(math.prod(graph.outputs[name]) for graph, names in sources for name in names)
        size = floats * pictures * _FLOAT32_BYTES
        if size > self._max_answer_bytes:
            raise OptionInvalid(
                f"The outputs asked for have {size} bytes; at most {self._max_answer_bytes} are "
                "sent at once: ask for fewer outputs or send fewer pictures."
            )
