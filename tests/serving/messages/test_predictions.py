from __future__ import annotations

import numpy as np

from pawsight_serving.errors import ImageInvalid
from pawsight_serving.messages.predictions import error_message, predict_response
from pawsight_serving.predictions import predicted_by
from tests.serving.fakes import manifest


def test_a_prediction_keeps_everything() -> None:
    predicted = predicted_by(manifest(), "tiny", np.array([[0.25, 0.75]], np.float32))
    response = predict_response(predicted, "id")
    assert (response.model, response.version, response.request_id) == ("tiny", "1", "id")
    assert response.digest == "sha256:" + "a" * 64
    (prediction,) = response.predictions
    assert (prediction.label, prediction.score) == ("dog", 0.75)
    assert dict(prediction.probabilities) == {"cat": 0.25, "dog": 0.75}


def test_an_error_inside_an_answer_keeps_everything() -> None:
    message = error_message(ImageInvalid("A sentence."), "id")
    assert (message.error, message.code, message.request_id) == (
        "A sentence.",
        "IMAGE_INVALID",
        "id",
    )
