from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pawsight_serving.errors import ImageMissing, OptionInvalid, PawsightError
from pawsight_serving.gateway.open_inference.image import read_image
from pawsight_serving.gateway.open_inference.tensors import InputTensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SIZE = (2, 3)
PIXELS = np.arange(36, dtype=np.uint8)


def tensor(
    datatype: str,
    shape: tuple[int, ...],
    elements: Sequence[bytes] | NDArray[np.uint8],
    name: str = "image",
) -> InputTensor:
    return InputTensor(name, datatype, shape, elements)


def test_encoded_pictures() -> None:
    assert read_image([tensor("BYTES", (2,), [b"a", b"b"])], SIZE) == [b"a", b"b"]


def test_pixels() -> None:
    pixels = read_image([tensor("UINT8", (2, 2, 3, 3), PIXELS)], SIZE)
    assert isinstance(pixels, np.ndarray)
    assert pixels.shape == (2, 2, 3, 3)
    assert pixels.ravel().tolist() == PIXELS.tolist()


@pytest.mark.parametrize(
    ("inputs", "error", "says"),
    [
        ([], ImageMissing, "image"),
        ([tensor("BYTES", (1,), [b"a"], "picture")], OptionInvalid, "'picture'"),
        ([tensor("BYTES", (1,), [b"a"])] * 2, OptionInvalid, "alone"),
        ([tensor("BYTES", (1, 1), [b"a"])], OptionInvalid, r"UINT8 \[-1, 2, 3, 3\]"),
        ([tensor("BYTES", (2,), [b"a"])], OptionInvalid, "1 elements"),
        (
            [tensor("UINT8", (1, 3, 2, 3), PIXELS[:18])],
            OptionInvalid,
            r"instead of UINT8 \[1, 3, 2, 3\]",
        ),
        ([tensor("UINT8", (2, 3, 3), PIXELS[:18])], OptionInvalid, "instead of"),
        ([tensor("UINT8", (1, 2, 3, 3), PIXELS)], OptionInvalid, "36 elements"),
        ([tensor("UINT8", (-1, 2, 3, 3), PIXELS)], OptionInvalid, "number of pictures for -1"),
        ([tensor("UINT8", (), PIXELS)], OptionInvalid, "instead of"),
        ([tensor("FP32", (1, 2, 3, 3), ())], OptionInvalid, "FP32"),
    ],
)
def test_what_the_model_does_not_take(
    inputs: list[InputTensor], error: type[PawsightError], says: str
) -> None:
    with pytest.raises(error, match=says):
        read_image(inputs, SIZE)
