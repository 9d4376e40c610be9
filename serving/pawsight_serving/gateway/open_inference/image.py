"""The one input, `image`: encoded pictures, or pixels in the model's size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from pawsight_serving.errors import ImageMissing, OptionInvalid
from pawsight_serving.gateway.open_inference.tensors import BYTES, UINT8, InputTensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

IMAGE: Final = "image"


def read_image(
    inputs: Sequence[InputTensor], size: tuple[int, int]
) -> list[bytes] | NDArray[np.uint8]:
    """Return a request's encoded pictures, or its pixels: RGB, uint8, [batch, height, width, 3].

    Args:
        inputs: what was sent.
        size: (height, width) of the model's input.

    Raises:
        ImageMissing: nothing was sent.
        OptionInvalid: another input than `image`, or another datatype or shape than it has.
    """
    if not inputs:
        raise ImageMissing(f"The request holds no picture; send the input {IMAGE}.")
    if len(inputs) > 1 or inputs[0].name != IMAGE:
        sent = ", ".join(repr(tensor.name) for tensor in inputs)
        raise OptionInvalid(f"The one input is {IMAGE!r}, and {sent} was sent; send it alone.")
    tensor, pixels_shape = inputs[0], (*size, 3)
    if tensor.datatype == BYTES and len(tensor.shape) == 1:
        if tensor.shape[0] != len(tensor.elements):
            raise _does_not_fill(tensor)
        return [bytes(element) for element in tensor.elements]
    if tensor.datatype == UINT8 and tensor.shape[1:] == pixels_shape and tensor.shape[0] >= 0:
        if math.prod(tensor.shape) != len(tensor.elements):
            raise _does_not_fill(tensor)
        return np.asarray(tensor.elements, np.uint8).reshape(tensor.shape)
    raise OptionInvalid(
        f"The input {IMAGE!r} is BYTES [-1], encoded pictures, or UINT8 "
        f"{[-1, *pixels_shape]}, with the number of pictures for -1; send one of them instead of "
        f"{tensor.datatype} {list(tensor.shape)}."
    )


def _does_not_fill(tensor: InputTensor) -> OptionInvalid:
    return OptionInvalid(
        f"The input {tensor.name!r} has {len(tensor.elements)} elements, and its shape "
        f"{list(tensor.shape)} says another number; send data and shape that agree."
    )
