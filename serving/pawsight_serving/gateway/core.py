"""What the gateway does, whichever protocol asks for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from pawsight_serving.catalogue import find_model
from pawsight_serving.errors import NotFound
from pawsight_serving.explainer.methods.registry import find_method
from pawsight_serving.gateway.ordered import in_order
from pawsight_serving.predictions import Predictions, predicted_by
from pawsight_serving.repository.filters import read_filters
from pawsight_serving.rpc.explanations import explain_response
from pawsight_serving.rpc.queries import query_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from pawsight_proto.v1.pawsight_pb2 import ExplainRequest, ExplainResponse
    from pawsight_serving.admission import Admission
    from pawsight_serving.calls import Call
    from pawsight_serving.deadlines import Deadline
    from pawsight_serving.decoding import Decoder
    from pawsight_serving.engines.protocol import Engine
    from pawsight_serving.gateway.metrics import Metrics
    from pawsight_serving.gateway.ordered import A, Q
    from pawsight_serving.gateway.own_explanations import OwnExplanations
    from pawsight_serving.readiness import Readiness
    from pawsight_serving.repository.manifest import Manifest


class Explainer(Protocol):
    """Who explains; in its messages, as an answer passes through here unread."""

    async def explain(self, request: ExplainRequest, call: Call) -> ExplainResponse:
        """Return the sidecar's answer; see `ExplainerClient.explain`."""

    async def metrics(self) -> bytes:
        """Return what the sidecar tells Prometheus; nothing while it is down."""


class Gateway:
    """Predicts with an engine, and asks the sidecar to explain.

    Args:
        engine: a started engine.
        explainer: the sidecar, as seen from here.
        decoder: what decodes pictures.
        admission: the bound on predictions in flight.
        explain_admission: the bound on explanations in flight: a crowd there keeps nobody out
            here.
        readiness: hears of every answer of the engine.
        metrics: hears of every request.
        default_model: answers requests that name none.
        stream_pictures_at_once: pictures of one stream that are worked on at once.
        own_explanations: answers what needs no sidecar; None leaves all to it.
        repository: the folder that pictures of filters lie in; None where Triton has the models.
    """

    def __init__(
        self,
        engine: Engine,
        explainer: Explainer,
        decoder: Decoder,
        admission: Admission,
        explain_admission: Admission,
        readiness: Readiness,
        metrics: Metrics,
        *,
        default_model: str,
        stream_pictures_at_once: int,
        own_explanations: OwnExplanations | None = None,
        repository: Path | None = None,
    ) -> None:
        self._engine = engine
        self._explainer = explainer
        self._decoder = decoder
        self._readiness = readiness
        self._metrics = metrics
        self._default_model = default_model
        self._own = own_explanations
        self._repository = repository
        self._stream_pictures_at_once = stream_pictures_at_once
        self.admission = admission
        self.explain_admission = explain_admission

    def models(self) -> Sequence[Manifest]:
        """Return the manifests of what is served, one a version."""
        return self._engine.manifests()

    def model(self, name: str, version: str = "") -> Manifest:
        """Return the manifest that a request means.

        Raises:
            ModelNotFound, VersionNotFound, OptionInvalid: as `find_model`.
        """
        return find_model(self.models(), name, version, default=self._default_model)

    async def predict(
        self, name: str, version: str, pictures: Sequence[bytes], deadline: Deadline
    ) -> Predictions:
        """Return the predictions of encoded pictures, in their order.

        Raises:
            ModelNotFound, VersionNotFound, OptionInvalid: no such model or version.
            ImageMissing, ImageInvalid, ImageTooLarge: a picture cannot be read.
            Overloaded: too many requests are in flight.
            EngineUnavailable: the engine is down.
            DeadlineExceeded: the deadline passed first.
        """
        with self._metrics.request("predict"), self.admission.place():
            return await self._predict(name, version, pictures, deadline)

    async def predict_stream(
        self,
        requests: AsyncIterator[Q],
        answer: Callable[[Q, Predict], Awaitable[A]],
    ) -> AsyncGenerator[A, None]:
        """Answer requests as they come, several at once, in their order.

        The stream holds one place among the requests in flight, for as long as it lasts.

        Args:
            requests: the stream.
            answer: makes the answer to one request with the `predict` it is given.

        Raises:
            Overloaded: too many requests are in flight.
        """
        with self._metrics.request("predict_stream"), self.admission.place():
            async for result in in_order(
                requests,
                lambda request: answer(request, self._predict),
                self._stream_pictures_at_once,
            ):
                yield result

    async def explain(self, request: ExplainRequest, call: Call) -> ExplainResponse:
        """Return predictions and explanations of a request.

        They are the sidecar's, but where the prediction's own pass has what was asked for.

        Raises:
            ModelNotFound, VersionNotFound, OptionInvalid: no such model or version.
            ImageMissing, ImageInvalid, ImageTooLarge: a picture cannot be read.
            LayerUnknown, TargetUnknown, OptionInvalid: an option does not fit.
            Overloaded: too many requests are in flight, here or there.
            ExplainerUnavailable, EngineUnavailable: the sidecar or its engine is down.
            DeadlineExceeded: the deadline passed first.
        """
        with self._metrics.request("explain"), self.explain_admission.place():
            manifest = self.model(request.model, request.version)
            self._decoder.check_count(len(request.images))
            # While the sidecar is down, too, a caller learns what is wrong with the request.
            query = query_of(request)
            name, method = find_method(manifest, query)
            if self._own is not None and self._own.has(manifest, name, query, method):
                explained = await self._own.explain(
                    manifest, name, method, request.images, call.deadline
                )
                self._readiness.saw_answer(manifest.name)
                return explain_response(explained, call.request_id, tensors=request.tensors)
            request.model, request.version = manifest.name, manifest.version
            response = await self._explainer.explain(request, call)
            response.request_id = call.request_id
            return response

    async def filters(self, name: str, version: str, layer: str) -> tuple[Manifest, bytes]:
        """Return a model's manifest and the grid, PNG, of what a layer's filters respond to.

        Raises:
            ModelNotFound, VersionNotFound, OptionInvalid: as `model`.
            LayerUnknown, NotFound: there is no such grid, or none here.
            RepositoryInvalid: the grid is not the one that was published.
        """
        manifest = self.model(name, version)
        if self._repository is None:
            raise NotFound(
                "The pictures of filters lie in the folder of the model repository, and this "
                "gateway has none: Triton runs its models."
            )
        return manifest, await asyncio.to_thread(read_filters, self._repository, manifest, layer)

    async def explainer_metrics(self) -> bytes:
        """Return what the sidecar tells Prometheus; nothing while it is down."""
        return await self._explainer.metrics()

    async def _predict(
        self, name: str, version: str, pictures: Sequence[bytes], deadline: Deadline
    ) -> Predictions:
        manifest = self.model(name, version)
        images = await self._decoder.decode(pictures, manifest.input_size, deadline)
        outputs = await self._engine.infer(
            manifest.name, manifest.version, images, ("probabilities",), deadline
        )
        self._readiness.saw_answer(manifest.name)
        return predicted_by(manifest, manifest.name, outputs["probabilities"])


class Predict(Protocol):
    """`Gateway.predict` without its own place among the requests in flight."""

    async def __call__(
        self, name: str, version: str, pictures: Sequence[bytes], deadline: Deadline
    ) -> Predictions:
        """Return the predictions; see `Gateway.predict`."""
