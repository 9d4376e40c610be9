from __future__ import annotations

import base64
from typing import Any

import numpy as np
import orjson
import pytest

from pawsight_serving.errors import ImageInvalid, OptionInvalid, PawsightError, RequestError
from pawsight_serving.gateway.http.open_inference.requests import InferRequest, read_request

B64 = base64.b64encode(b"picture").decode()
ELEMENT = b"\x02\x00\x00\x00ab"


def image(**fields: Any) -> dict[str, Any]:
    return {"name": "image", "datatype": "BYTES", "shape": [1], **fields}


def binary(size: int = len(ELEMENT), **fields: Any) -> dict[str, Any]:
    return image(parameters={"binary_data_size": size}, **fields)


def read(inputs: list[Any], tail: bytes = b"", **fields: Any) -> InferRequest:
    header = orjson.dumps({"inputs": inputs, **fields})
    length = str(len(header)) if tail else None
    return read_request(header + tail, length, "tiny", "1")


def test_pictures_in_base64() -> None:
    request = read([image(data=[B64])], id="mine")
    assert (request.asked.model, request.asked.version, request.id) == ("tiny", "1", "mine")
    (tensor,) = request.asked.inputs
    assert tensor.elements == [b"picture"]
    assert tensor.shape == (1,)


def test_the_json_may_be_said_to_be_the_whole_body() -> None:
    body = orjson.dumps({"inputs": [image(data=[B64])]})
    (tensor,) = read_request(body, str(len(body)), "tiny", "1").asked.inputs
    assert tensor.elements == [b"picture"]


def test_what_may_be_left_out_may_be_null() -> None:
    nothing: dict[str, Any] = {"name": "probabilities", "parameters": None}
    for parameters in (None, {"binary_data_size": None, "content_type": None}):
        sent = [image(data=[B64], parameters=parameters)]
        for outputs, asked in ((None, ()), ([nothing], ("probabilities",))):
            request = read(sent, id=None, parameters=None, outputs=outputs)
            assert (request.id, tuple(request.asked.outputs)) == ("", asked)
            assert not request.wants_binary("probabilities")
    unsaid = {"binary_data": None, "classification": None, "shared_memory_region": None}
    outputs = [{"name": "probabilities", "parameters": unsaid}]
    request = read([image(data=[B64])], parameters={"binary_data_output": None}, outputs=outputs)
    assert not request.wants_binary("probabilities")


def test_base64_may_be_said() -> None:
    (tensor,) = read([image(data=[B64], parameters={"content_type": "base64"})]).asked.inputs
    assert tensor.elements == [b"picture"]


def test_pixels_flat_or_nested() -> None:
    for data in ([1, 2, 3, 4], [[1, 2], [3, 4]]):
        (tensor,) = read([image(datatype="UINT8", shape=[2, 2], data=data)]).asked.inputs
        assert np.asarray(tensor.elements).tolist() == [1, 2, 3, 4]


def test_binary_tensors_follow_in_the_inputs_order_and_mix_with_json() -> None:
    pixels = image(datatype="UINT8", shape=[2], parameters={"binary_data_size": 2})
    request = read([binary(), image(data=[B64]), pixels], ELEMENT + b"\x05\x06")
    elements = [np.asarray(tensor.elements).tolist() for tensor in request.asked.inputs]
    assert elements == [[b"ab"], [b"picture"], [5, 6]]


def test_a_body_without_json_is_one_picture() -> None:
    request = read_request(b"picture", "0", "tiny", "")
    (tensor,) = request.asked.inputs
    assert (tensor.datatype, tensor.shape, tensor.elements) == ("BYTES", (1,), [b"picture"])
    assert request.wants_binary("probabilities")


@pytest.mark.parametrize(
    ("fields", "binary_outputs"),
    [
        ({}, set()),
        ({"parameters": {"binary_data_output": True}}, {"a", "b"}),
        ({"outputs": [{"name": "a"}]}, set()),
        ({"outputs": [{"name": "a", "parameters": {"binary_data": True}}, {"name": "b"}]}, {"a"}),
        (
            {
                "parameters": {"binary_data_output": True},
                "outputs": [{"name": "a", "parameters": {"binary_data": False}}, {"name": "b"}],
            },
            {"b"},
        ),
    ],
)
def test_which_outputs_are_wanted_in_binary_form(
    fields: dict[str, Any], binary_outputs: set[str]
) -> None:
    request = read([image(data=[B64])], **fields)
    assert {name for name in ("a", "b") if request.wants_binary(name)} == binary_outputs
    assert list(request.asked.outputs) == [each["name"] for each in fields.get("outputs", [])]


def test_classes_are_asked_for_by_their_number() -> None:
    probabilities: dict[str, Any] = {"name": "probabilities", "parameters": {"classification": 2}}
    for outputs, strongest in (
        ([probabilities, {"name": "gradcam"}], {"probabilities": 2}),
        ([{"name": "probabilities"}], {}),
    ):
        assert read([image(data=[B64])], outputs=outputs).asked.strongest == strongest


def test_parameters_that_mean_nothing_here_are_left() -> None:
    read(
        [image(data=[B64], parameters={"colour": "RGB"})],
        parameters={"sequence_id": 1, "priority": 2, "mine": [1]},
        extra=True,
    )


@pytest.mark.parametrize(
    ("inputs", "fields", "error"),
    [
        ([{}], {}, RequestError),
        ([image()], {}, RequestError),
        ([image(data=B64)], {}, RequestError),
        ([image(data=[1])], {}, RequestError),
        ([image(data=["not base64!"])], {}, ImageInvalid),
        ([image(data=["ü"])], {}, ImageInvalid),
        ([image(data=[B64], shape=[-1])], {}, RequestError),
        ([image(data=[B64], shape=["1"])], {}, RequestError),
        ([image(data=[B64], parameters={"content_type": "str"})], {}, OptionInvalid),
        ([image(parameters={"shared_memory_region": "mine"})], {}, OptionInvalid),
        ([image(datatype="UINT8", data=[0.5])], {}, RequestError),
        ([image(data=[B64])] * 17, {}, RequestError),
        ([image(data=[B64])], {"id": 3}, RequestError),
        ([image(data=[B64])], {"outputs": ["a"]}, RequestError),
        (
            [image(data=[B64])],
            {"outputs": [{"name": "a", "parameters": {"classification": 2}}]},
            OptionInvalid,
        ),
        (
            [image(data=[B64])],
            {"outputs": [{"name": "a", "parameters": {"shared_memory_region": "b"}}]},
            OptionInvalid,
        ),
        ([binary()], {}, RequestError),
    ],
)
def test_json_that_is_not_the_protocols(
    inputs: list[Any], fields: dict[str, Any], error: type[PawsightError]
) -> None:
    with pytest.raises(error) as raised:
        read(inputs, **fields)
    assert type(raised.value) is error


def test_the_broken_base64_of_several_is_named() -> None:
    with pytest.raises(ImageInvalid, match=r"^Picture 2: "):
        read([image(shape=[2], data=[B64, "not base64!"])])


@pytest.mark.parametrize(
    ("inputs", "tail"),
    [
        ([binary()], ELEMENT + b"x"),
        ([binary()], ELEMENT[:-1]),
        ([binary(7)], ELEMENT),
        ([binary(), binary()], ELEMENT),
        ([image(data=[B64])], ELEMENT),
    ],
)
def test_binary_tensors_that_are_not_what_the_json_says(inputs: list[Any], tail: bytes) -> None:
    with pytest.raises(RequestError):
        read(inputs, tail)


def test_a_tensor_comes_in_one_form() -> None:
    with pytest.raises(RequestError, match="'image' has data and binary data; send one"):
        read([binary(data=[B64])], ELEMENT)


@pytest.mark.parametrize("length", ["-1", "x", "", "1e3", "1000000", "0" * 5000])
def test_a_length_that_is_none(length: str) -> None:
    with pytest.raises(RequestError, match="Inference-Header-Content-Length"):
        read_request(b"{}", length, "tiny", "")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b"[" * 5000, b"\xff"])
def test_a_body_that_is_not_json(body: bytes) -> None:
    with pytest.raises(RequestError, match=r"send \{"):
        read_request(body, None, "tiny", "")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"[]", "The JSON is no object; send {"),
        (b"{}", "The JSON's inputs is missing or does not"),
        (b'{"id": 7, "inputs": []}', "The JSON's id does not fit; send a string there."),
        (b'{"inputs": {}}', "The JSON's inputs does not fit; send an array there."),
        (b'{"id": 7, "inputs": {}}', "The JSON's id does not fit; send a string there."),
        (b'{"inputs": [1]}', "The JSON's inputs.0 does not fit; send an object there."),
        (
            b'{"inputs": [], "parameters": {"binary_data_output": "true"}}',
            "The JSON's parameters.binary_data_output does not fit; send true or false there.",
        ),
        (
            b'{"inputs": [], "outputs": [{"name": "a", "parameters": {"classification": "1"}}]}',
            "The JSON's outputs.0.parameters.classification does not fit; send a whole number",
        ),
        (
            b'{"inputs": [{"name": "image", "datatype": "BYTES", "shape": [-1]}]}',
            "The JSON's inputs.0.shape.0 does not fit; send a whole number from 0 on there.",
        ),
        (
            b'{"inputs": [], "outputs": [%s]}' % b",".join([b'{"name": "a"}'] * 257),
            "The request has more than 256 outputs; send fewer.",
        ),
    ],
)
def test_what_is_wrong_with_the_json_is_said(body: bytes, sentence: str) -> None:
    with pytest.raises(RequestError) as raised:
        read_request(body, None, "tiny", "")
    assert str(raised.value).startswith(sentence)


def test_pictures_that_are_no_strings_are_told_what_to_send() -> None:
    with pytest.raises(RequestError, match="are not strings; send pictures in base64"):
        read([image(data=[1])])


def test_more_numbers_than_json_takes_are_not_even_parsed() -> None:
    with pytest.raises(RequestError, match="binary form"):
        read_request(b"0," * 2_000_001, None, "tiny", "")
