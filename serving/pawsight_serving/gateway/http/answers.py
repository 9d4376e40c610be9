"""What the core says, as JSON."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pawsight_proto.v1 import pawsight_pb2 as pb
    from pawsight_serving.predictions import Prediction, Predictions
    from pawsight_serving.repository.manifest import Manifest


class Json(Response):
    """A JSON answer."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Return the body."""
        return orjson.dumps(content)


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
        response: the sidecar's.
        classes: the model's, as a message keeps no order of the probabilities.
    """
    return {
        "model": response.model,
        "version": response.version,
        "predictions": _predictions(response.predictions, classes),
        "explanations": [_explanation(each) for each in response.explanations],
        "digest": response.digest,
        "request_id": response.request_id,
    }


def model_answer(manifest: Manifest, *, ready: bool) -> dict[str, Any]:
    """Return the description of a model; `name` and `ready` are KServe v1's."""
    return {
        "name": manifest.name,
        "ready": ready,
        "version": manifest.version,
        "state": "READY" if ready else "UNAVAILABLE",
        "classes": manifest.classes,
        "layers": [layer.model_dump() for layer in manifest.layers],
        "manifest": manifest.model_dump(mode="json"),
    }


def _predictions(
    predictions: Iterable[Prediction | pb.Prediction], classes: tuple[str, ...] | None = None
) -> list[dict[str, Any]]:
    return [
        {
            "label": each.label,
            "score": each.score,
            "probabilities": {
                name: each.probabilities[name] for name in classes or each.probabilities
            },
        }
        for each in predictions
    ]


def _explanation(explanation: pb.Explanation) -> dict[str, Any]:
    answer: dict[str, Any] = {"method": explanation.method, "layer": explanation.layer}
    if explanation.HasField("map"):
        answer |= {
            "target": explanation.target,
            "height": explanation.map.height,
            "width": explanation.map.width,
            "map": _rows(explanation.map),
        }
    else:
        first = explanation.channels[0].map
        answer |= {
            "height": first.height,
            "width": first.width,
            "channels": [
                {
                    "channel": channel.channel,
                    "mean": channel.mean,
                    "max": channel.max,
                    "map": _rows(channel.map),
                }
                for channel in explanation.channels
            ],
        }
    answer["evidence"] = explanation.evidence
    if explanation.overlay_png:
        answer["overlay_png"] = base64.b64encode(explanation.overlay_png).decode()
    answer["digest"] = explanation.digest
    return answer


def _rows(map_: pb.Map) -> list[list[float]]:
    values = list(map_.values)
    return [values[start : start + map_.width] for start in range(0, len(values), map_.width)]
