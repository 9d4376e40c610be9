"""The core's results as JSON."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

from pawsight_serving.explanations.methods.registry import offered_methods
from pawsight_serving.messages.tensors import read_tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pawsight_proto.v1 import pawsight_pb2 as pb
    from pawsight_serving.predictions import Prediction, Predictions
    from pawsight_serving.repository.manifest import Manifest


class Json(Response):
    """A JSON answer."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Return the body."""
        # Arrays are written by orjson itself: the shortest digits that give the float32 back.
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def predict_answer(predicted: Predictions, request_id: str) -> dict[str, Any]:
    """Return the answer to `:predict`."""
    return {
        "model": predicted.model,
        "version": predicted.version,
        "predictions": _predictions(predicted.predictions),
        "digest": predicted.digest,
        "request_id": request_id,
    }


def explain_answer(response: pb.ExplainResponse, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return the answer to `:explain`.

    Args:
        response: the sidecar's, with tensors.
        classes: the model's, in whose order the probabilities come: a message keeps none. Those
            of another version that are not among them follow by name.
    """
    answer = {
        "model": response.model,
        "version": response.version,
        "predictions": _predictions(response.predictions, classes),
        "explanations": [_explanation(each) for each in response.explanations],
        "digest": response.digest,
        "request_id": response.request_id,
    }
    if response.sheets:
        answer["sheets"] = [_base64(sheet) for sheet in response.sheets]
    return answer


def model_answer(manifest: Manifest, *, ready: bool, default: bool) -> dict[str, Any]:
    """Return the description of a model; `name` and `ready` are KServe v1's."""
    return {
        "name": manifest.name,
        "ready": ready,
        "version": manifest.version,
        "state": "READY" if ready else "UNAVAILABLE",
        "default": default,
        "classes": manifest.classes,
        "layers": [layer.model_dump() for layer in manifest.layers],
        "methods": offered_methods(manifest),
        "manifest": manifest.model_dump(mode="json"),
    }


def _predictions(
    predictions: Iterable[Prediction | pb.Prediction], classes: tuple[str, ...] | None = None
) -> list[dict[str, Any]]:
    return [
        {
            "label": each.label,
            "score": each.score,
            "probabilities": dict(each.probabilities)
            if classes is None
            else _in_order(each.probabilities, classes),
        }
        for each in predictions
    ]


def _in_order(probabilities: Mapping[str, float], classes: tuple[str, ...]) -> dict[str, float]:
    others = sorted(probabilities.keys() - set(classes))
    return {name: probabilities[name] for name in (*classes, *others) if name in probabilities}


def _explanation(explanation: pb.Explanation) -> dict[str, Any]:
    answer: dict[str, Any] = {"method": explanation.method, "layer": explanation.layer}
    values = read_tensor(explanation.tensor)
    if explanation.channels:
        _, answer["height"], answer["width"] = values.shape
        answer["channels"] = [
            {
                "channel": channel.channel,
                "mean": channel.mean,
                "max": channel.max,
                "zeros": channel.zeros,
                "map": map_,
            }
            for channel, map_ in zip(explanation.channels, values, strict=True)
        ]
    else:
        answer["target"] = explanation.target
        answer["height"], answer["width"] = values.shape
        answer["map"] = values
    answer["evidence"] = explanation.evidence
    if explanation.overlay_png:
        answer["overlay_png"] = _base64(explanation.overlay_png)
    answer |= {
        "digest": explanation.digest,
        "weights_sha256": explanation.weights_sha256,
        "precision": explanation.precision,
    }
    if explanation.HasField("probability"):
        answer["probability"] = explanation.probability
    if explanation.HasField("faithfulness"):
        measured = explanation.faithfulness
        answer["faithfulness"] = {
            "deletion": _curve(measured.deletion),
            "insertion": _curve(measured.insertion),
        }
    return answer


def _curve(curve: pb.Curve) -> dict[str, Any]:
    return {"area": curve.area, "probabilities": list(curve.probabilities)}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
