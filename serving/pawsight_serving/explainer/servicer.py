"""`pawsight.v1.Explainer`: the explainer's core over gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import ExplainerServicer as ExplainerMethods
from pawsight_serving.messages.explanations import explain_response
from pawsight_serving.messages.queries import query_of
from pawsight_serving.messages.tensors import tensor_message
from pawsight_serving.observability.observation import Observer
from pawsight_serving.rpc.methods import unary

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    from pawsight_serving.explainer.core import Explainer
    from pawsight_serving.requests.calls import Call

SERVICE: Final = pb.DESCRIPTOR.services_by_name["Explainer"].full_name


class ExplainerServicer(ExplainerMethods):
    """Converts messages, and leaves the rest to the core.

    Args:
        explainer: the core.
        timeout_s: seconds that a call may take where its caller does not ask for less.
        observer: is told of every call.
    """

    def __init__(
        self, explainer: Explainer, timeout_s: float, observer: Observer | None = None
    ) -> None:
        self._explainer = explainer
        self.observer = observer or Observer()
        self.timeout_s = timeout_s

    @unary
    async def Explain(  # noqa: N802
        self, request: pb.ExplainRequest, call: Call
    ) -> pb.ExplainResponse:
        """Classify pictures and say why."""
        # Each look into a message copies: the pictures are taken out once.
        pictures = list(request.images)
        explained = await self._explainer.explain(query_of(request), pictures, call.deadline)
        return explain_response(explained, call.request_id, tensors=request.tensors)

    @unary
    async def Infer(self, request: pb.InferRequest, call: Call) -> pb.InferResponse:  # noqa: N802
        """Run a graph on pixels."""
        outputs = await self._explainer.infer(
            request.graph, request.version, request.pixels, request.outputs, call.deadline
        )
        return pb.InferResponse(
            tensors=[tensor_message(name, outputs.values[name]) for name in request.outputs],
            digest=outputs.digest,
            request_id=call.request_id,
        )

    async def GetMetrics(  # noqa: N802
        self,
        request: pb.GetMetricsRequest,  # noqa: ARG002
        context: ServicerContext[pb.GetMetricsRequest, pb.Metrics],  # noqa: ARG002
    ) -> pb.Metrics:
        """Return the metrics for Prometheus."""
        return pb.Metrics(text=self._explainer.metrics())
