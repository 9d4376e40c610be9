"""`pawsight.v1.Pawsight`: the core over gRPC."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from google.protobuf.json_format import ParseDict

from pawsight_proto.v1.pawsight_pb2 import (
    DESCRIPTOR,
    ExplainRequest,
    ExplainResponse,
    Filters,
    GetFiltersRequest,
    GetModelRequest,
    Layer,
    ListModelsRequest,
    ListModelsResponse,
    Model,
    PredictRequest,
    PredictResponse,
    PredictStreamRequest,
    PredictStreamResponse,
)
from pawsight_proto.v1.pawsight_pb2_grpc import PawsightServicer as PawsightMethods
from pawsight_serving.errors import InternalError, PawsightError
from pawsight_serving.explanations.methods.registry import offered_methods
from pawsight_serving.gateway.ordered import in_order
from pawsight_serving.messages.predictions import error_message, predict_response
from pawsight_serving.messages.queries import query_of
from pawsight_serving.requests.calls import UNFORESEEN
from pawsight_serving.requests.deadlines import Deadline
from pawsight_serving.rpc.methods import streaming, unary

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from pawsight_serving.gateway.core import Gateway
    from pawsight_serving.observability.observation import Observer
    from pawsight_serving.readiness import Readiness
    from pawsight_serving.repository.manifest import Manifest
    from pawsight_serving.requests.calls import Call

logger = logging.getLogger(__name__)

SERVICE: Final = DESCRIPTOR.services_by_name["Pawsight"].full_name


class PawsightServicer(PawsightMethods):
    """Converts messages, and leaves the rest to the core.

    Args:
        gateway: the core.
        readiness: says which models answer.
        observer: is told of every call.
        timeout_s: seconds that a call may take where its caller does not ask for less.
        stream_pictures_at_once: pictures of one stream that are worked on at once.
    """

    def __init__(
        self,
        gateway: Gateway,
        readiness: Readiness,
        observer: Observer,
        timeout_s: float,
        *,
        stream_pictures_at_once: int = 8,
    ) -> None:
        self._gateway = gateway
        self._readiness = readiness
        self._at_once = stream_pictures_at_once
        self.observer = observer
        self.timeout_s = timeout_s

    @unary
    async def Predict(self, request: PredictRequest, call: Call) -> PredictResponse:  # noqa: N802
        """Classify pictures."""
        # Each look into a message copies a picture. Nobody holds that copy while the call waits.
        size = sum(map(len, request.images))
        with self._gateway.admission.place(size, call.deadline):
            predicted = await self._gateway.predict(
                request.model, request.version, request.images, call.deadline
            )
        return predict_response(predicted, call.request_id)

    @streaming
    async def PredictStream(  # noqa: N802
        self, requests: AsyncIterator[PredictStreamRequest], call: Call
    ) -> AsyncGenerator[PredictStreamResponse, None]:
        """Classify pictures as they come; one that fails leaves the others alone.

        The stream holds one place among the requests in flight, for as long as it lasts.
        """

        async def answer(request: PredictStreamRequest) -> PredictStreamResponse:
            deadline = Deadline.after(min(self.timeout_s, call.deadline.remaining_s()))
            picture = request.image
            try:
                with place.more(len(picture)):
                    async with deadline.enforced():
                        predicted = await self._gateway.predict(
                            request.model, request.version, [picture], deadline
                        )
            except PawsightError as error:
                failure = error_message(error, call.request_id)
            except Exception:
                logger.exception("request %s failed", call.request_id)
                failure = error_message(InternalError(UNFORESEEN), call.request_id)
            else:
                response = predict_response(predicted, call.request_id)
                return PredictStreamResponse(id=request.id, response=response)
            return PredictStreamResponse(id=request.id, error=failure)

        with self._gateway.admission.stream() as place:
            async for response in in_order(requests, answer, self._at_once):
                yield response

    @unary
    async def Explain(self, request: ExplainRequest, call: Call) -> ExplainResponse:  # noqa: N802
        """Classify pictures and say why."""
        # Here they are needed several times: taken out once.
        pictures = list(request.images)
        with self._gateway.explain_admission.place(sum(map(len, pictures))):
            # As over HTTP: what is not served has no options.
            self._gateway.model(request.model, request.version)
            return await self._gateway.explain(
                query_of(request), pictures, call, tensors=request.tensors
            )

    @unary
    async def ListModels(  # noqa: N802
        self,
        request: ListModelsRequest,  # noqa: ARG002
        call: Call,  # noqa: ARG002
    ) -> ListModelsResponse:
        """Describe every served model."""
        return ListModelsResponse(models=map(self._model, self._gateway.models()))

    @unary
    async def GetModel(self, request: GetModelRequest, call: Call) -> Model:  # noqa: ARG002, N802
        """Describe one model."""
        return self._model(self._gateway.model(request.model, request.version))

    @unary
    async def GetFilters(  # noqa: N802
        self,
        request: GetFiltersRequest,
        call: Call,  # noqa: ARG002
    ) -> Filters:
        """Show what the filters of a layer respond to most."""
        manifest, png = await self._gateway.filters(request.model, request.version, request.layer)
        return Filters(
            model=manifest.name,
            version=manifest.version,
            layer=request.layer,
            png=png,
            digest=f"sha256:{manifest.filters[request.layer]}",
        )

    def _model(self, manifest: Manifest) -> Model:
        model = Model(
            name=manifest.name,
            version=manifest.version,
            classes=manifest.classes,
            layers=[Layer(**layer.model_dump()) for layer in manifest.layers],
            state="READY" if self._readiness.model_ready(manifest.name) else "UNAVAILABLE",
            methods=offered_methods(manifest),
            default=self._gateway.is_default(manifest.name),
        )
        ParseDict(manifest.model_dump(mode="json"), model.manifest)
        return model
