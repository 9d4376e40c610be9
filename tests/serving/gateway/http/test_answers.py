from __future__ import annotations

import numpy as np
import orjson

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_serving.gateway.http.answers import Json, explain_answer, predict_answer
from pawsight_serving.messages.tensors import tensor_message
from pawsight_serving.predictions import predicted_by
from tests.serving.fakes import manifest


def test_json_is_compact_and_says_so() -> None:
    answer = Json({"a": [1.5]})
    assert (answer.body, answer.media_type) == (b'{"a":[1.5]}', "application/json")


def test_both_protocols_give_the_same_numbers() -> None:
    probabilities = np.array([[0.1, 0.9]], np.float32)
    answer = predict_answer(predicted_by(manifest(), "tiny", probabilities), "id")
    over_grpc = pb.Prediction(score=0.9).score
    assert orjson.loads(orjson.dumps(answer))["predictions"][0]["score"] == over_grpc


def test_probabilities_keep_the_order_of_the_classes() -> None:
    response = pb.ExplainResponse(
        predictions=[pb.Prediction(label="b", probabilities={"a": 0.25, "c": 0.25, "b": 0.5})]
    )
    for classes in (("a", "b", "c"), ("c", "b", "a")):
        answer = explain_answer(response, classes)
        assert tuple(answer["predictions"][0]["probabilities"]) == classes


def test_classes_that_the_model_was_not_known_to_have_follow_by_name() -> None:
    response = pb.ExplainResponse(
        predictions=[pb.Prediction(label="b", probabilities={"d": 0.25, "c": 0.25, "b": 0.5})]
    )
    answer = explain_answer(response, ("b", "a"))
    assert list(answer["predictions"][0]["probabilities"]) == ["b", "c", "d"]


def test_no_drawing_no_field() -> None:
    explanation = pb.Explanation(
        tensor=tensor_message("map", np.zeros((1, 1), np.float32)), evidence=False
    )
    answer = explain_answer(pb.ExplainResponse(explanations=[explanation]), ())
    assert "overlay_png" not in answer["explanations"][0]
    assert answer["explanations"][0]["evidence"] is False


def test_a_map_is_written_in_the_shortest_digits_that_give_it_back() -> None:
    values = np.array([[0.1, 1 / 3]], np.float32)
    explanation = pb.Explanation(tensor=tensor_message("map", values), evidence=True)
    body = Json(explain_answer(pb.ExplainResponse(explanations=[explanation]), ())).body
    assert b'"map":[[0.1,0.33333334]]' in body
    back = orjson.loads(body)["explanations"][0]["map"]
    np.testing.assert_array_equal(np.array(back, np.float32), values)
