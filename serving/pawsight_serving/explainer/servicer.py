"""`pawsight.v1.Explainer`: the explainer's core over gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import ExplainerServicer as ExplainerMethods
from pawsight_serving.explainer.explanations import ClassMap
from pawsight_serving.observation import Observer
from pawsight_serving.rpc.messages import prediction_messages
from pawsight_serving.rpc.methods import unary
from pawsight_serving.rpc.queries import query_of
from pawsight_serving.rpc.tensors import tensor_message

if TYPE_CHECKING:
    from grpc.aio import ServicerContext
    from numpy.typing import NDArray

    from pawsight_serving.calls import Call
    from pawsight_serving.explainer.core import Explainer
    from pawsight_serving.explainer.explanations import Explained, Explanation
    from pawsight_serving.explainer.faithfulness import Curve, Faithfulness

SERVICE: Final = pb.DESCRIPTOR.services_by_name["Explainer"].full_name


class ExplainerServicer(ExplainerMethods):
    """Converts messages, and leaves the rest to the core.

    Args:
        explainer: the core.
        timeout_s: seconds that a call may take where its caller does not ask for less.
        observer: hears of every call.
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
        explained = await self._explainer.explain(query_of(request), request.images, call.deadline)
        return _response(explained, call.request_id, tensors=request.tensors)

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
        """Return what Prometheus is told."""
        return pb.Metrics(text=self._explainer.metrics())


def _response(explained: Explained, request_id: str, *, tensors: bool) -> pb.ExplainResponse:
    predictions = explained.predictions
    return pb.ExplainResponse(
        model=predictions.model,
        version=predictions.version,
        predictions=prediction_messages(predictions.predictions),
        explanations=[
            _explanation(explained, explanation, tensors=tensors)
            for explanation in explained.explanations
        ],
        digest=predictions.digest,
        request_id=request_id,
        sheets=explained.sheets,
    )


def _explanation(
    explained: Explained, explanation: Explanation, *, tensors: bool
) -> pb.Explanation:
    maps = explanation.maps
    message = pb.Explanation(
        method=explained.method,
        layer=maps.layer,
        evidence=maps.evidence,
        overlay_png=explanation.drawing,
        digest=explained.predictions.digest,
        weights_sha256=explained.weights_sha256,
        precision=explained.precision,
        probability=explanation.probability,
        faithfulness=_faithfulness(explanation.faithfulness),
    )
    if isinstance(maps, ClassMap):
        message.target = maps.target
        if tensors:
            message.tensor.CopyFrom(tensor_message("map", maps.values))
        else:
            message.map.CopyFrom(_map(maps.values))
        return message
    message.channels.extend(
        pb.Channel(
            channel=channel.channel,
            mean=channel.mean,
            max=channel.max,
            zeros=channel.zeros,
            map=None if tensors else _map(channel.values),
        )
        for channel in maps.channels
    )
    if tensors:
        values = np.stack([channel.values for channel in maps.channels])
        message.tensor.CopyFrom(tensor_message("channels", values))
    return message


def _faithfulness(measured: Faithfulness | None) -> pb.Faithfulness | None:
    if measured is None:
        return None
    return pb.Faithfulness(deletion=_curve(measured.deletion), insertion=_curve(measured.insertion))


def _curve(curve: Curve) -> pb.Curve:
    return pb.Curve(probabilities=curve.probabilities, area=curve.area)


def _map(values: NDArray[np.float32]) -> pb.Map:
    height, width = values.shape
    return pb.Map(height=height, width=width, values=values.ravel().tolist())
