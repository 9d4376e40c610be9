"""The gateway's core: predictions and explanations, independent of the protocol."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from pawsight_serving.errors import EngineUnavailable, NotFound, OptionInvalid, VersionNotFound
from pawsight_serving.explanations.methods.registry import find_method
from pawsight_serving.observability.observation import stage
from pawsight_serving.predictions import Prediction, Predictions, predicted_by
from pawsight_serving.repository.catalogue import find_model
from pawsight_serving.repository.filters import read_filters

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pawsight_proto.v1.pawsight_pb2 import ExplainResponse
    from pawsight_serving.engines.protocol import Images
    from pawsight_serving.explanations.queries import Query
    from pawsight_serving.gateway.inline_explanations import InlineExplanations
    from pawsight_serving.gateway.resources import Resources
    from pawsight_serving.repository.manifest import Manifest
    from pawsight_serving.requests.calls import Call
    from pawsight_serving.requests.deadlines import Deadline


class Explainer(Protocol):
    """The sidecar. Its answer is a message, which goes on to callers over gRPC as it is."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection to the sidecar at this moment."""

    async def explain(
        self, query: Query, pictures: Sequence[bytes], call: Call, *, tensors: bool
    ) -> ExplainResponse:
        """Return the sidecar's answer; see `ExplainerClient.explain`."""

    async def metrics(self) -> bytes:
        """Return what the sidecar tells Prometheus; nothing while it is down."""


class Gateway:
    """Predicts with an engine, and asks the sidecar to explain.

    An edge takes a place in `admission` before it calls `predict`, or in `explain_admission` before
    it calls `explain`; it does so before it reads the body.

    Args:
        resources: engine, decoder, bounds and observer.
        explainer: the sidecar, as seen from here.
        default_model: answers requests that name none.
        inline_explanations: makes the explanations that need no sidecar; None leaves all to it.
        repository: the folder that pictures of filters lie in; None where Triton has the models.
    """

    def __init__(
        self,
        resources: Resources,
        explainer: Explainer,
        *,
        default_model: str,
        inline_explanations: InlineExplanations | None = None,
        repository: Path | None = None,
    ) -> None:
        self._engine = resources.engine
        self._explainer = explainer
        self._decoder = resources.decoder
        self._readiness = resources.readiness
        self._observer = resources.observer
        self._default_model = default_model
        self._inline_explanations = inline_explanations
        self._repository = repository
        self.admission = resources.admission
        self.explain_admission = resources.explain_admission

    def models(self) -> Sequence[Manifest]:
        """Return the manifests of what is served, one per version."""
        return self._engine.manifests()

    def model(self, name: str, version: str = "") -> Manifest:
        """Return the manifest that a request means.

        Raises:
            ModelNotFound, VersionNotFound, OptionInvalid: as `find_model`.
        """
        return find_model(
            self.models(),
            name,
            version,
            default=self._default_model,
            broken=self._engine.faults(),
        )

    def is_default(self, name: str) -> bool:
        """Return whether requests that name no model mean this one."""
        try:
            return self.model("").name == name
        except (OptionInvalid, EngineUnavailable):
            return False

    async def predict(
        self, name: str, version: str, pictures: Sequence[bytes], deadline: Deadline
    ) -> Predictions:
        """Return the predictions of encoded pictures, in their order.

        Raises:
            ModelNotFound, VersionNotFound, OptionInvalid: no such model or version.
            ImageMissing, ImageInvalid, ImageTooLarge: a picture cannot be read.
            Overloaded: what is in work leaves no time for these.
            EngineUnavailable: the engine is down.
            DeadlineExceeded: the deadline passed first.
        """
        try:
            predicted = await self._predict_with(self.model(name, version), pictures, deadline)
        except VersionNotFound:
            if version:
                raise
            # It was withdrawn since; what is the newest now answers.
            predicted = await self._predict_with(self.model(name), pictures, deadline)
        self._observer.predicted(predicted, pictures)
        return predicted

    async def explain(
        self, query: Query, pictures: Sequence[bytes], call: Call, *, tensors: bool
    ) -> ExplainResponse:
        """Return predictions and explanations of encoded pictures.

        The sidecar makes them, except where the pass of the prediction has what was asked for.

        Args:
            query: what is asked.
            pictures: the encoded pictures.
            call: the request's id and deadline.
            tensors: whether the values come as tensors, not as maps.

        Raises:
            ModelNotFound, VersionNotFound, OptionInvalid: no such model or version.
            ImageMissing, ImageInvalid, ImageTooLarge: a picture cannot be read.
            LayerUnknown, TargetUnknown, OptionInvalid: an option does not fit, or the answer would
                have too many values.
            Overloaded: too many requests are in flight there.
            ExplainerUnavailable, EngineUnavailable: the sidecar or its engine is down.
            DeadlineExceeded: the deadline passed first.
        """
        manifest = self.model(query.model, query.version)
        self._decoder.check_count(len(pictures))
        # While the sidecar is down, too, a caller learns what is wrong with the request.
        name, method = find_method(manifest, query)
        query.check_values(method.shapes, len(pictures))
        response = None
        inline = self._inline_explanations
        if (
            inline is not None
            and inline.has(manifest, name, query, method)
            and self._explainer.connected
            and inline.keeps_nobody_waiting()
        ):
            try:
                response = await inline.answer(
                    manifest, name, method, pictures, call, tensors=tensors
                )
                self._readiness.record_success(manifest.name)
            except VersionNotFound:
                if query.version:
                    raise
                # It was withdrawn since; the sidecar has what is the newest now.
                manifest = self.model(query.model)
        if response is None:
            response = await self._ask_sidecar(query, manifest, pictures, call, tensors=tensors)
        self._observer.predicted(_predictions(response), pictures)
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

    async def _ask_sidecar(
        self,
        query: Query,
        manifest: Manifest,
        pictures: Sequence[bytes],
        call: Call,
        *,
        tensors: bool,
    ) -> ExplainResponse:
        """Return the sidecar's answer for this version, or for its newest where none was named."""
        asked = replace(query, model=manifest.name, version=manifest.version)
        with stage("explain"):
            try:
                response = await self._explainer.explain(asked, pictures, call, tensors=tensors)
            except VersionNotFound:
                if query.version:
                    raise
                # The sidecar refused this version or has let go of it; it has another one.
                asked = replace(asked, version="")
                response = await self._explainer.explain(asked, pictures, call, tensors=tensors)
        response.request_id = call.request_id
        return response

    async def _predict_with(
        self, manifest: Manifest, pictures: Sequence[bytes], deadline: Deadline
    ) -> Predictions:
        images: Images
        with self.admission.work(len(pictures), deadline):
            self._engine.check_reachable()
            if self._engine.prepares and len(pictures) == 1:
                images = self._decoder.preparing(pictures, manifest.input_size)
            else:
                images = await self._decoder.decode(pictures, manifest.input_size, deadline)
            outputs = await self._engine.infer(
                manifest.name, manifest.version, images, ("probabilities",), deadline
            )
        self._readiness.record_success(manifest.name)
        return predicted_by(manifest, manifest.name, outputs["probabilities"])


def _predictions(response: ExplainResponse) -> Predictions:
    return Predictions(
        response.model,
        response.version,
        response.digest,
        [Prediction(each.label, each.score, each.probabilities) for each in response.predictions],
    )
