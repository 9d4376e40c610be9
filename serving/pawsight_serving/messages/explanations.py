"""What the explainer found, in the messages of `pawsight.v1`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_serving.explanations.results import ClassMap
from pawsight_serving.messages.predictions import prediction_messages
from pawsight_serving.messages.tensors import float_bytes, tensor_message

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pawsight_serving.explanations.results import Curve, Explained, Explanation, Faithfulness


def explain_response(explained: Explained, request_id: str, *, tensors: bool) -> pb.ExplainResponse:
    """Return the answer to `Explain`; values as tensors, or as maps."""
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
            _fill(message.map, maps.values)
        return message
    for channel in maps.channels:
        said = message.channels.add(
            channel=channel.channel, mean=channel.mean, max=channel.max, zeros=channel.zeros
        )
        if not tensors:
            _fill(said.map, channel.values)
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


def _fill(message: pb.Map, values: NDArray[np.float32]) -> None:
    message.height, message.width = values.shape
    # Packed floats and bytes of the same number are the same on the wire, and as bytes the
    # 22,500 values of a map of the first layer are never so many objects.
    message.MergeFromString(pb.Tensor(values=float_bytes(values)).SerializeToString())
