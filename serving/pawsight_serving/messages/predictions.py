"""What the core says, in the messages of `pawsight.v1`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pawsight_proto.v1.pawsight_pb2 import Error, Prediction, PredictResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pawsight_serving import predictions
    from pawsight_serving.errors import PawsightError


def predict_response(predicted: predictions.Predictions, request_id: str) -> PredictResponse:
    """Return the answer to `Predict`."""
    return PredictResponse(
        model=predicted.model,
        version=predicted.version,
        predictions=prediction_messages(predicted.predictions),
        digest=predicted.digest,
        request_id=request_id,
    )


def prediction_messages(predicted: Sequence[predictions.Prediction]) -> list[Prediction]:
    """Return one message a prediction."""
    return [
        Prediction(label=each.label, score=each.score, probabilities=each.probabilities)
        for each in predicted
    ]


def error_message(error: PawsightError, request_id: str) -> Error:
    """Return an error as it stands inside an answer."""
    return Error(error=str(error), code=error.code, request_id=request_id)
