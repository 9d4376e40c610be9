"""Tensors in the messages of `pawsight.v1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pawsight_proto.v1.pawsight_pb2 import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FLOAT32: Final = np.dtype("<f4")


def tensor_message(name: str, values: NDArray[np.float32]) -> Tensor:
    """Return float32 values of any shape as a message."""
    return Tensor(name=name, shape=values.shape, values=float_bytes(values))


def float_bytes(values: NDArray[np.float32]) -> bytes:
    """Return float32 values of any shape as they are sent: little-endian, row by row."""
    return values.astype(_FLOAT32, copy=False).tobytes()


def read_tensor(tensor: Tensor) -> NDArray[np.float32]:
    """Return a message's values in their shape."""
    values = np.frombuffer(tensor.values, _FLOAT32).astype(np.float32, copy=False)
    return values.reshape(tuple(tensor.shape))
