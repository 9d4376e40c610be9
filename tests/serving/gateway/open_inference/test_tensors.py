from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pawsight_serving.errors import RequestError
from pawsight_serving.gateway.open_inference.tensors import InputTensor


def element(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + data


@pytest.mark.parametrize("elements", [[], [b""], [b"one"], [b"one", b"", b"three"]])
def test_byte_strings_follow_their_lengths(elements: list[bytes]) -> None:
    raw = b"".join(map(element, elements))
    assert InputTensor.from_raw("image", "BYTES", (1,), raw).elements == elements


@pytest.mark.parametrize(
    "raw", [b"\x01", b"\x00\x00\x00", b"\x02\x00\x00\x00a", element(b"a") + b"\xff\xff\xff\xff"]
)
def test_byte_strings_that_end_too_soon(raw: bytes) -> None:
    with pytest.raises(RequestError, match="'image' end within an element"):
        InputTensor.from_raw("image", "BYTES", (1,), raw)


def test_more_byte_strings_than_any_request_may_hold() -> None:
    most = InputTensor.from_raw("image", "BYTES", (10_000,), element(b"") * 10_000)
    assert len(most.elements) == 10_000
    with pytest.raises(RequestError, match="more than 10000 elements"):
        InputTensor.from_raw("image", "BYTES", (10_001,), element(b"") * 10_001)


def test_a_tensor_keeps_what_its_caller_said_of_it() -> None:
    for tensor in (
        InputTensor.from_raw("image", "BYTES", (1,), element(b"one")),
        InputTensor.from_raw("image", "UINT8", (1,), b"\x00"),
        InputTensor.from_numbers("image", "UINT8", (1,), [0]),
        InputTensor.from_numbers("image", "FP32", (1,), [0.5]),
    ):
        assert (tensor.name, tensor.shape) == ("image", (1,))
        assert tensor.datatype in {"BYTES", "UINT8", "FP32"}


def test_pixels_in_binary_form() -> None:
    tensor = InputTensor.from_raw("image", "UINT8", (3,), b"\x00\x7f\xff")
    assert np.asarray(tensor.elements).tolist() == [0, 127, 255]


@pytest.mark.parametrize(
    "numbers", [[0, 1, 254, 255], [[0, 1], [254, 255]], [[[0, 1], [254, 255]]]]
)
def test_pixels_as_numbers_are_flat(numbers: list[Any]) -> None:
    tensor = InputTensor.from_numbers("image", "UINT8", (1, 2, 2), numbers)
    assert np.asarray(tensor.elements).tolist() == [0, 1, 254, 255]


def test_no_pixels_are_left_for_the_shape_to_refuse() -> None:
    assert not len(InputTensor.from_numbers("image", "UINT8", (1, 2, 2, 3), []).elements)


def test_pixels_nested_otherwise_than_the_shape_says_are_not_put_in_another_order() -> None:
    with pytest.raises(RequestError, match=r"nested as \[2, 3\].* says \[3, 2\]"):
        InputTensor.from_numbers("image", "UINT8", (3, 2), [[0, 1, 2], [3, 4, 5]])
    channels_first = np.zeros((1, 3, 2, 2), np.uint8).tolist()
    with pytest.raises(RequestError, match=r"nested as \[1, 3, 2, 2\].* says \[1, 2, 2, 3\]"):
        InputTensor.from_numbers("image", "UINT8", (1, 2, 2, 3), channels_first)


@pytest.mark.parametrize(
    "numbers",
    [
        [-1],
        [256],
        [2**70],
        [0.5],
        [1.0],
        [True],
        [0, 1, True],
        [[0, 1], [False, 255]],
        ["1"],
        [1, "1"],
        [None],
        [1, None],
        [[1, 2], [3]],
        [[1, 2], 3],
        [{}],
    ],
)
def test_what_is_no_pixel(numbers: list[Any]) -> None:
    with pytest.raises(RequestError, match=r"whole numbers from 0 to 255.*; send such ones"):
        InputTensor.from_numbers("image", "UINT8", (1,), numbers)


def test_numbers_of_another_datatype_are_left_to_be_refused() -> None:
    assert not InputTensor.from_numbers("image", "FP32", (1,), [0.5]).elements
