"""Requests and answers of the protocol: tensors by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pawsight_serving.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BYTES: Final = "BYTES"
UINT8: Final = "UINT8"
FP32: Final = "FP32"

_LENGTH_BYTES: Final = 4
# Millions of empty ones would hold up every other request.
_MAX_ELEMENTS: Final = 10_000
_MAX_UINT8: Final = 255


@dataclass(frozen=True, slots=True)
class InputTensor:
    """A tensor as its caller sent it.

    `elements` are the byte strings of a BYTES tensor, or the numbers of another, flat.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    elements: Sequence[bytes] | NDArray[np.uint8]

    @classmethod
    def from_raw(cls, name: str, datatype: str, shape: tuple[int, ...], raw: bytes) -> InputTensor:
        """Read a tensor's binary form; of BYTES each element follows its length, 4 bytes.

        Raises:
            RequestError: the elements of a BYTES tensor do not fill `raw`.
        """
        if datatype == BYTES:
            return cls(name, datatype, shape, _split(name, raw))
        return cls(name, datatype, shape, np.frombuffer(raw, np.uint8))

    @classmethod
    def from_numbers(
        cls, name: str, datatype: str, shape: tuple[int, ...], numbers: Sequence[Any]
    ) -> InputTensor:
        """Read a tensor of numbers, flat or nested.

        Of another datatype than UINT8 the numbers are ignored.

        Raises:
            RequestError: not whole numbers from 0 to 255, or rows of different lengths.
        """
        if datatype != UINT8:
            return cls(name, datatype, shape, ())
        try:
            values = np.asarray(numbers)
        except ValueError as error:
            raise _not_pixels(name) from error
        whole = values.dtype.kind in "iu"
        if values.size and not (whole and values.min() >= 0 and values.max() <= _MAX_UINT8):
            raise _not_pixels(name)
        return cls(name, datatype, shape, values.astype(np.uint8).ravel())


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """One request: `outputs` may be empty, for all of the model's own."""

    model: str
    version: str
    inputs: Sequence[InputTensor]
    outputs: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """One output, float32, batch first, and the digest of the graph that gave it."""

    name: str
    values: NDArray[np.float32]
    digest: str


@dataclass(frozen=True, slots=True)
class InferenceResult:
    """The answer: the outputs in the order in which they were asked for."""

    model: str
    version: str
    outputs: Sequence[OutputTensor]


def _not_pixels(name: str) -> RequestError:
    return RequestError(
        f"The data of the input {name!r} are not whole numbers from 0 to {_MAX_UINT8}, "
        "in rows of equal length."
    )


def _split(name: str, raw: bytes) -> list[bytes]:
    elements: list[bytes] = []
    start = 0
    while start < len(raw):
        if len(elements) == _MAX_ELEMENTS:
            raise RequestError(
                f"The input {name!r} has more than {_MAX_ELEMENTS} elements; send fewer pictures."
            )
        first = start + _LENGTH_BYTES
        end = first + int.from_bytes(raw[start:first], "little")
        if first > len(raw) or end > len(raw):
            raise RequestError(
                f"The bytes of the input {name!r} end within an element; "
                f"send each element after its length in {_LENGTH_BYTES} bytes, little-endian."
            )
        elements.append(raw[first:end])
        start = end
    return elements
