"""`pawsight.v1.Explainer`: the explainer's core over gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import ExplainerServicer as ExplainerMethods
from pawsight_serving.explainer.explanations import GradCamMap, Query
from pawsight_serving.observation import Observer
from pawsight_serving.rpc.messages import prediction_messages
from pawsight_serving.rpc.methods import unary
from pawsight_serving.rpc.tensors import tensor_message

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.calls import Call
    from pawsight_serving.explainer.core import Explainer
    from pawsight_serving.explainer.explanations import Explained, Explanation

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
        query = Query(
            model=request.model,
            version=request.version,
            method=request.method,
            layer=request.layer,
            target=request.target,
            channels=tuple(request.channels),
            draw=request.rendering == pb.RENDERING_PNG,
        )
        explained = await self._explainer.explain(query, request.images, call.deadline)
        return _response(explained, call.request_id)

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


def _response(explained: Explained, request_id: str) -> pb.ExplainResponse:
    predictions = explained.predictions
    return pb.ExplainResponse(
        model=predictions.model,
        version=predictions.version,
        predictions=prediction_messages(predictions.predictions),
        explanations=[
            _explanation(explained.method, explanation, predictions.digest)
            for explanation in explained.explanations
        ],
        digest=predictions.digest,
        request_id=request_id,
    )


def _explanation(method: str, explanation: Explanation, digest: str) -> pb.Explanation:
    maps = explanation.maps
    message = pb.Explanation(
        method=method,
        layer=maps.layer,
        evidence=maps.evidence,
        overlay_png=explanation.drawing,
        digest=digest,
    )
    if isinstance(maps, GradCamMap):
        message.target = maps.target
        message.map.CopyFrom(_map(maps.values))
    else:
        message.channels.extend(
            pb.Channel(
                channel=channel.channel,
                mean=channel.values.mean(),
                max=channel.values.max(),
                map=_map(channel.values),
            )
            for channel in maps.channels
        )
    return message


def _map(values: NDArray[np.float32]) -> pb.Map:
    height, width = values.shape
    return pb.Map(height=height, width=width, values=values.ravel().tolist())
