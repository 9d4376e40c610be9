"""Requests and answers of the protocol: tensors by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from pawsight_serving.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

BYTES: Final = "BYTES"
UINT8: Final = "UINT8"
FP32: Final = "FP32"

_FLOAT32: Final = np.dtype("<f4")
_LENGTH_BYTES: Final = 4
# Millions of empty ones would hold up every other request.
_MAX_ELEMENTS: Final = 10_000
_MAX_UINT8: Final = 255
MAX_INPUTS: Final = 16
MAX_OUTPUTS: Final = 256


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
            RequestError: not whole numbers from 0 to 255, rows of different lengths, or nested
                otherwise than `shape` says.
        """
        if datatype != UINT8:
            return cls(name, datatype, shape, ())
        try:
            values = np.asarray(numbers)
        except ValueError as error:
            raise _not_pixels(name) from error
        # Their types and not the array's, which is one of whole numbers with `true` among them too.
        whole = _types(numbers, values.ndim) <= {int}
        if not whole or (values.size and not 0 <= values.min() <= values.max() <= _MAX_UINT8):
            raise _not_pixels(name)
        if values.ndim > 1 and _lengths(values.shape) != _lengths(shape):
            raise RequestError(
                f"The data of the input {name!r} are nested as {list(values.shape)}, and its shape "
                f"says {list(shape)}; send data and shape that agree."
            )
        return cls(name, datatype, shape, values.astype(np.uint8).ravel())


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """One request.

    `outputs` may be empty, for all of the model's own. `strongest` says of how many classes those
    outputs are to tell that are asked for by classification.

    Raises:
        RequestError: more inputs or outputs than any model has.
    """

    model: str
    version: str
    inputs: Sequence[InputTensor]
    outputs: Sequence[str] = ()
    strongest: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for what, most in (("inputs", MAX_INPUTS), ("outputs", MAX_OUTPUTS)):
            if len(getattr(self, what)) > most:
                raise RequestError(f"The request has more than {most} {what}; send fewer.")


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """One output, float32, batch first, and the digest of the graph that gave it."""

    name: str
    values: NDArray[np.float32]
    digest: str
    datatype: ClassVar[str] = FP32

    @property
    def shape(self) -> tuple[int, ...]:
        """The batch first."""
        return self.values.shape

    def to_raw(self) -> bytes:
        """Return the tensor's binary form."""
        return self.values.astype(_FLOAT32).tobytes()

    def to_json(self) -> NDArray[np.float32]:
        """Return the numbers, flat."""
        return np.ascontiguousarray(self.values).ravel()


@dataclass(frozen=True, slots=True)
class ClassesTensor:
    """One output as texts: a row for each picture, all of the same length."""

    name: str
    rows: Sequence[Sequence[str]]
    digest: str
    datatype: ClassVar[str] = BYTES

    @property
    def shape(self) -> tuple[int, ...]:
        """The pictures, and the texts of each."""
        return len(self.rows), len(self.rows[0])

    def to_raw(self) -> bytes:
        """Return the tensor's binary form: each text, in UTF-8, follows its length, 4 bytes."""
        texts = [text.encode() for text in self.to_json()]
        return b"".join(len(text).to_bytes(_LENGTH_BYTES, "little") + text for text in texts)

    def to_json(self) -> list[str]:
        """Return the texts, flat."""
        return [text for row in self.rows for text in row]


@dataclass(frozen=True, slots=True)
class InferenceResult:
    """The answer: the outputs in the order in which they were asked for."""

    model: str
    version: str
    outputs: Sequence[OutputTensor | ClassesTensor]


def _types(numbers: Iterable[Any], depth: int) -> set[type]:
    """Return the types of what lies `depth` lists deep."""
    for _ in range(depth - 1):
        numbers = chain.from_iterable(numbers)
    return set(map(type, numbers))


def _lengths(shape: Sequence[int]) -> list[int]:
    """Return a shape's dimensions without those of one, which order nothing."""
    return [length for length in shape if length != 1]


def _not_pixels(name: str) -> RequestError:
    return RequestError(
        f"The data of the input {name!r} are not whole numbers from 0 to {_MAX_UINT8}, "
        "in rows of equal length; send such ones, flat or nested as the shape says."
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
