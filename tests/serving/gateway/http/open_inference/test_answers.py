from __future__ import annotations

import numpy as np
import orjson
import pytest

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.gateway.http.open_inference import answers
from pawsight_serving.gateway.http.open_inference.answers import infer_answer
from pawsight_serving.gateway.http.open_inference.requests import InferRequest
from pawsight_serving.gateway.open_inference.tensors import (
    ClassesTensor,
    InferenceRequest,
    InferenceResult,
    OutputTensor,
)

ONE = np.array([[1, 2]], np.float32)
TWO = np.array([[[3, 4], [5, 6]]], np.float32).transpose(0, 2, 1)
ANSWERED = InferenceResult(
    "tiny", "1", [OutputTensor("one", ONE, "sha256:1"), OutputTensor("two", TWO, "sha256:2")]
)


def request(*binary: str, request_id: str = "") -> InferRequest:
    asked = InferenceRequest("tiny", "", [], ("one", "two"))
    return InferRequest(asked, request_id, frozenset(binary), binary_by_default=False)


def test_json() -> None:
    answer = infer_answer(ANSWERED, request(request_id="mine"))
    assert answer.media_type == "application/json"
    assert orjson.loads(answer.body) == {
        "model_name": "tiny",
        "model_version": "1",
        "id": "mine",
        "parameters": {"digest:one": "sha256:1", "digest:two": "sha256:2"},
        "outputs": [
            {
                "name": "one",
                "datatype": "FP32",
                "shape": [1, 2],
                "data": [1.0, 2.0],
            },
            {
                "name": "two",
                "datatype": "FP32",
                "shape": [1, 2, 2],
                "data": [3.0, 5.0, 4.0, 6.0],
            },
        ],
    }


def test_texts_as_json_and_in_binary_form() -> None:
    tensor = ClassesTensor("one", [["0.750000:0:cat"], ["0.500000:1:Kätzchen"]], "sha256:1")
    answered = InferenceResult("tiny", "1", [tensor])
    (output,) = orjson.loads(infer_answer(answered, request()).body)["outputs"]
    assert output == {
        "name": "one",
        "datatype": "BYTES",
        "shape": [2, 1],
        "data": ["0.750000:0:cat", "0.500000:1:Kätzchen"],
    }
    answer = infer_answer(answered, request("one"))
    tail = answer.body[int(answer.headers["inference-header-content-length"]) :]
    second = "0.500000:1:Kätzchen".encode()
    assert tail == b"\x0e\0\0\0" + b"0.750000:0:cat" + b"\x14\0\0\0" + second


def test_binary_tensors_follow_the_json_and_mix_with_it() -> None:
    answer = infer_answer(ANSWERED, request("two"))
    assert answer.media_type == "application/octet-stream"
    length = int(answer.headers["inference-header-content-length"])
    header, tail = orjson.loads(answer.body[:length]), answer.body[length:]
    one, two = header["outputs"]
    assert one["data"] == [1.0, 2.0]
    assert "data" not in two
    assert two["parameters"] == {"digest": "sha256:2", "binary_data_size": 16}
    assert len(tail) == 16
    assert np.frombuffer(tail, "<f4").tolist() == [3, 5, 4, 6]
    assert "id" not in header


def test_only_binary_tensors_have_parameters_which_tritons_cpp_client_takes_for_their_size() -> (
    None
):
    answer = infer_answer(ANSWERED, request("two"))
    header = orjson.loads(answer.body[: int(answer.headers["inference-header-content-length"])])
    sizes = [tensor.get("parameters", {}).get("binary_data_size") for tensor in header["outputs"]]
    assert sizes == [None, 16]
    assert ["parameters" in tensor for tensor in header["outputs"]] == [False, True]
    assert header["parameters"] == {"digest:one": "sha256:1"}
    answer = infer_answer(ANSWERED, request("one", "two"))
    header = orjson.loads(answer.body[: int(answer.headers["inference-header-content-length"])])
    assert "parameters" not in header


def test_what_is_too_much_for_json_goes_in_binary_form() -> None:
    large = OutputTensor("one", np.zeros((1, 2_000_001), np.float32), "sha256:1")
    answered = InferenceResult("tiny", "1", [large])
    with pytest.raises(OptionInvalid, match="2000001 numbers"):
        infer_answer(answered, request())
    assert len(infer_answer(answered, request("one")).body) > 8_000_000


def test_as_much_as_json_takes_goes_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MAX_NUMBERS", 6)
    assert infer_answer(ANSWERED, request()).media_type == "application/json"
    monkeypatch.setattr(answers, "MAX_NUMBERS", 5)
    with pytest.raises(OptionInvalid, match="have 6 numbers, and JSON takes 5"):
        infer_answer(ANSWERED, request())
