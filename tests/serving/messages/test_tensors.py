from __future__ import annotations

import numpy as np
import pytest

from pawsight_serving.messages.tensors import read_tensor, tensor_message


@pytest.mark.parametrize("shape", [(2, 3, 4), (1,), (0, 2)])
def test_a_tensor_survives_the_way(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).random(shape, np.float32)
    message = tensor_message("name", values)
    read = read_tensor(message)
    assert (message.name, tuple(message.shape)) == ("name", shape)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, values)


def test_rows_come_one_after_the_other_little_endian() -> None:
    columns = np.asfortranarray(np.array([[1, 2], [3, 4]], np.float32))
    assert tensor_message("", columns).values == np.array([1, 2, 3, 4], "<f4").tobytes()
