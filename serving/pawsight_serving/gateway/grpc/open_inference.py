"""`inference.GRPCInferenceService`: the Open Inference Protocol over gRPC.

The messages are those of Triton's client package; what is not answered here, such as loading
models or shared memory, is UNIMPLEMENTED.
"""

# ruff: noqa: ARG002, N802 - the protocol names the methods and their arguments

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.json_format import ParseDict
from tritonclient.grpc import service_pb2 as oip
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceServicer

from pawsight_serving.errors import (
    EngineUnavailable,
    InternalError,
    OptionInvalid,
    PawsightError,
    RequestError,
    RouteNotFound,
)
from pawsight_serving.gateway.open_inference import descriptions
from pawsight_serving.gateway.open_inference.classification import check_classification
from pawsight_serving.gateway.open_inference.shared_memory import refuse_shared_memory
from pawsight_serving.gateway.open_inference.tensors import (
    BYTES,
    UINT8,
    InferenceRequest,
    InferenceResult,
    InputTensor,
)
from pawsight_serving.gateway.ordered import in_order
from pawsight_serving.requests.calls import UNFORESEEN, Call
from pawsight_serving.requests.deadlines import Deadline
from pawsight_serving.rpc.methods import streaming, unary
from pawsight_serving.rpc.refusals import abort_unimplemented
from pawsight_serving.rpc.request_ids import request_id_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from grpc.aio import ServicerContext

    from pawsight_serving.gateway.open_inference.core import OpenInference
    from pawsight_serving.observability.observation import Observer

logger = logging.getLogger(__name__)

SERVICE: Final[str] = oip.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name
_SHARED_MEMORY: Final = "shared_memory_region"
_CLASSIFICATION: Final = "classification"
_CONTENTS: Final = {BYTES: "bytes_contents", UINT8: "uint_contents"}
"""The field of typed contents for a datatype."""


class OpenInferenceServicer(GRPCInferenceServiceServicer):  # type: ignore[misc] # has no types
    """Converts messages, and leaves the rest to the core.

    Args:
        inference: the core.
        observer: is told of every call.
        timeout_s: seconds that a call may take where its caller does not ask for less.
        stream_requests_at_once: requests of one stream that are worked on at once.
    """

    def __init__(
        self,
        inference: OpenInference,
        observer: Observer,
        timeout_s: float,
        *,
        stream_requests_at_once: int,
    ) -> None:
        self._inference = inference
        self._at_once = stream_requests_at_once
        self.observer = observer
        self.timeout_s = timeout_s

    @unary
    async def ServerLive(
        self, request: oip.ServerLiveRequest, call: Call
    ) -> oip.ServerLiveResponse:
        """Say that the process is alive."""
        return oip.ServerLiveResponse(live=True)

    @unary
    async def ServerReady(
        self, request: oip.ServerReadyRequest, call: Call
    ) -> oip.ServerReadyResponse:
        """Say whether every model has just answered a real inference."""
        return oip.ServerReadyResponse(ready=self._inference.ready)

    @unary
    async def ModelReady(
        self, request: oip.ModelReadyRequest, call: Call
    ) -> oip.ModelReadyResponse:
        """Say whether one model answers; one that is broken, or whose engine is down, does not."""
        try:
            graph = self._inference.graph(request.name, request.version)
        except EngineUnavailable:
            return oip.ModelReadyResponse(ready=False)
        return oip.ModelReadyResponse(ready=await self._inference.graph_ready(graph))

    @unary
    async def ServerMetadata(
        self, request: oip.ServerMetadataRequest, call: Call
    ) -> oip.ServerMetadataResponse:
        """Describe the server."""
        return ParseDict(descriptions.server_metadata(), oip.ServerMetadataResponse())

    @unary
    async def ModelMetadata(
        self, request: oip.ModelMetadataRequest, call: Call
    ) -> oip.ModelMetadataResponse:
        """Describe a model's versions, input and outputs."""
        graph = self._inference.graph(request.name, request.version)
        metadata = descriptions.model_metadata(graph, self._inference.graphs(graph.name))
        return ParseDict(metadata, oip.ModelMetadataResponse())

    @unary
    async def ModelConfig(
        self, request: oip.ModelConfigRequest, call: Call
    ) -> oip.ModelConfigResponse:
        """Describe a model as Triton does."""
        graph = self._inference.graph(request.name, request.version)
        config = descriptions.model_config(graph, self._inference.max_pictures)
        return ParseDict({"config": config}, oip.ModelConfigResponse())

    @unary
    async def ModelStatistics(
        self, request: oip.ModelStatisticsRequest, call: Call
    ) -> oip.ModelStatisticsResponse:
        """Say how often models ran, and for how long."""
        graphs = self._inference.graphs(request.name, request.version)
        statistics = descriptions.model_statistics(graphs, self._inference.statistics)
        return ParseDict(statistics, oip.ModelStatisticsResponse())

    @unary
    async def RepositoryIndex(
        self, request: oip.RepositoryIndexRequest, call: Call
    ) -> oip.RepositoryIndexResponse:
        """List the models, or those that answer."""
        index = await descriptions.repository_index(self._inference, ready_only=request.ready)
        return ParseDict({"models": index}, oip.RepositoryIndexResponse())

    @unary
    async def ModelInfer(
        self, request: oip.ModelInferRequest, call: Call
    ) -> oip.ModelInferResponse:
        """Run a model."""
        return _response(await self._infer(request, call), request.id)

    @streaming
    async def ModelStreamInfer(
        self, requests: AsyncIterator[oip.ModelInferRequest], call: Call
    ) -> AsyncGenerator[oip.ModelStreamInferResponse, None]:
        """Run models as requests come; one that fails leaves the others alone."""

        async def answer(request: oip.ModelInferRequest) -> oip.ModelStreamInferResponse:
            deadline = Deadline.after(min(self.timeout_s, call.deadline.remaining_s()))
            try:
                async with deadline.enforced():
                    answered = await self._infer(request, Call(call.request_id, deadline))
            except PawsightError as error:
                failure = error
            except Exception:
                logger.exception("request %s failed", call.request_id)
                failure = InternalError(UNFORESEEN)
            else:
                last = _response(answered, request.id)
                # As Triton has it: who streams waits for it, also where answers are one each.
                last.parameters["triton_final_response"].bool_param = True
                return oip.ModelStreamInferResponse(infer_response=last)
            response = oip.ModelInferResponse(id=request.id)
            response.parameters["code"].string_param = failure.code
            response.parameters["request_id"].string_param = call.request_id
            return oip.ModelStreamInferResponse(error_message=str(failure), infer_response=response)

        async for response in in_order(requests, answer, self._at_once):
            yield response

    async def _infer(self, request: oip.ModelInferRequest, call: Call) -> InferenceResult:
        graph = self._inference.graph(request.model_name, request.model_version)
        with self._inference.place(graph, call.deadline, request.ByteSize()):
            return await self._inference.infer(_asked(request), call)

    async def _not_offered(self, request: Any, context: ServicerContext[Any, Any]) -> None:
        request_id = request_id_of(context.invocation_metadata())
        self.observer.refused("grpc", request_id, RouteNotFound.code)
        await abort_unimplemented(
            context,
            RouteNotFound(
                "This server does not manage models, memory, traces or logs for its callers; "
                "change its model repository or its settings instead."
            ),
            request_id,
        )

    RepositoryModelLoad = RepositoryModelUnload = _not_offered
    SystemSharedMemoryStatus = _not_offered
    SystemSharedMemoryRegister = SystemSharedMemoryUnregister = _not_offered
    CudaSharedMemoryStatus = _not_offered
    CudaSharedMemoryRegister = CudaSharedMemoryUnregister = _not_offered
    TraceSetting = LogSettings = _not_offered


def _asked(request: oip.ModelInferRequest) -> InferenceRequest:
    for tensor in (*request.inputs, *request.outputs):
        if _SHARED_MEMORY in tensor.parameters:
            refuse_shared_memory(tensor.parameters[_SHARED_MEMORY].string_param)
    strongest = {output.name: count for output in request.outputs if (count := _strongest(output))}
    return InferenceRequest(
        model=request.model_name,
        version=request.model_version,
        inputs=_inputs(request.inputs, request.raw_input_contents),
        outputs=tuple(output.name for output in request.outputs),
        strongest=strongest,
    )


def _strongest(output: oip.ModelInferRequest.InferRequestedOutputTensor) -> int:
    if _CLASSIFICATION not in output.parameters:
        return 0
    parameter = output.parameters[_CLASSIFICATION]
    if not parameter.HasField("int64_param"):
        raise OptionInvalid(
            f"The parameter {_CLASSIFICATION} is a number of classes; send it as int64_param."
        )
    check_classification(output.name, parameter.int64_param)
    return int(parameter.int64_param)


def _inputs(
    inputs: Sequence[oip.ModelInferRequest.InferInputTensor], raw: Sequence[bytes]
) -> list[InputTensor]:
    if not raw:
        return [_typed(tensor) for tensor in inputs]
    if any(tensor.HasField("contents") for tensor in inputs):
        raise RequestError(
            "The request has an input's data both in its contents and in raw_input_contents; "
            "send them once."
        )
    if len(raw) != len(inputs):
        raise RequestError(
            f"The request has {len(inputs)} inputs and {len(raw)} raw contents; "
            "send one for each, in the inputs' order."
        )
    return [
        InputTensor.from_raw(tensor.name, tensor.datatype, tuple(tensor.shape), contents)
        for tensor, contents in zip(inputs, raw, strict=True)
    ]


def _typed(tensor: oip.ModelInferRequest.InferInputTensor) -> InputTensor:
    sent = [field.name for field, _ in tensor.contents.ListFields()]
    if len(sent) > 1:
        raise RequestError(
            f"The input {tensor.name!r} has data in several fields of its contents; send them once."
        )
    wanted = _CONTENTS.get(tensor.datatype)
    if wanted is not None and sent not in ([], [wanted]):
        raise RequestError(
            f"The input {tensor.name!r} is {tensor.datatype} and has its data in {sent[0]}; "
            f"send them in {wanted}."
        )
    shape = tuple(tensor.shape)
    if tensor.datatype == BYTES:
        contents = tensor.contents.bytes_contents
        return InputTensor(tensor.name, tensor.datatype, shape, contents)
    return InputTensor.from_numbers(
        tensor.name, tensor.datatype, shape, tensor.contents.uint_contents
    )


def _response(answered: InferenceResult, request_id: str) -> oip.ModelInferResponse:
    response = oip.ModelInferResponse(
        model_name=answered.model, model_version=answered.version, id=request_id
    )
    for output in answered.outputs:
        tensor = response.outputs.add(
            name=output.name, datatype=output.datatype, shape=output.shape
        )
        tensor.parameters["digest"].string_param = output.digest
        response.raw_output_contents.append(output.to_raw())
    return response
