"""Reads the bodies of `infer`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from pawsight_serving.errors import OptionInvalid, RequestError
from pawsight_serving.gateway.http.bodies import announced_bytes, from_base64
from pawsight_serving.gateway.http.json_bodies import read_json
from pawsight_serving.gateway.open_inference.classification import check_classification
from pawsight_serving.gateway.open_inference.image import IMAGE
from pawsight_serving.gateway.open_inference.shared_memory import refuse_shared_memory
from pawsight_serving.gateway.open_inference.tensors import (
    BYTES,
    MAX_INPUTS,
    MAX_OUTPUTS,
    InferenceRequest,
    InputTensor,
)
from pawsight_serving.settings import MAX_JSON_DEPTH, MAX_NUMBERS

HEADER_LENGTH: Final = "Inference-Header-Content-Length"
_SHAPE: Final = (
    '{"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["<base64>"]}]}'
)
_FITTING: Final = {
    "string_type": "a string",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "greater_than_equal": "a whole number from 0 on",
    "list_type": "an array",
    "model_type": "an object",
}
"""What fits, by pydantic's name of the error."""


class _Open(BaseModel):
    """Ignores parameters and fields that it does not know, as the protocol asks.

    What may be left out may be null too, which is how some languages write it.
    """

    model_config = ConfigDict(frozen=True, strict=True)


class InputParameters(_Open):
    """The parameters of an input."""

    binary_data_size: NonNegativeInt | None = Field(
        None, description="Bytes of this tensor behind the JSON, in the inputs' order."
    )
    content_type: str | None = Field(
        None, description="`base64`, which the strings of a BYTES tensor are in any case."
    )
    shared_memory_region: str | None = Field(None, description="Not offered here.")


class Input(_Open):
    """The input `image`."""

    name: str
    datatype: str = Field(
        description="`BYTES` (encoded pictures) or `UINT8` (pixels in the model's size)."
    )
    shape: list[NonNegativeInt]
    parameters: InputParameters | None = None
    data: list[Any] | None = Field(
        None, description="Pictures in base64, or the pixels' values, flat or nested."
    )


class OutputParameters(_Open):
    """The parameters of a requested output."""

    binary_data: bool | None = Field(None, description="Whether it is answered in binary form.")
    classification: int | None = Field(
        None, description="Answers the probabilities as names of so many of the strongest classes."
    )
    shared_memory_region: str | None = Field(None, description="Not offered here.")


class Output(_Open):
    """An output that is asked for."""

    name: str
    parameters: OutputParameters | None = None


class RequestParameters(_Open):
    """The parameters of a request."""

    binary_data_output: bool | None = Field(
        None, description="Whether outputs that do not say otherwise are answered in binary form."
    )


class InferBody(_Open):
    """The JSON of a request."""

    id: str | None = None
    parameters: RequestParameters | None = None
    inputs: list[Input] = Field(max_length=MAX_INPUTS)
    outputs: Annotated[list[Output], Field(max_length=MAX_OUTPUTS)] | None = None


@dataclass(frozen=True, slots=True)
class InferRequest:
    """One request: what is asked, its caller's id, and which outputs are wanted in binary form."""

    asked: InferenceRequest
    id: str
    binary: frozenset[str]
    binary_by_default: bool

    def wants_binary(self, output: str) -> bool:
        """Whether this output is to be answered in binary form."""
        return output in self.binary if self.asked.outputs else self.binary_by_default


def read_request(
    body: bytes,
    json_length: str | None,
    model: str,
    version: str,
    max_json_depth: int = MAX_JSON_DEPTH,
) -> InferRequest:
    """Read a request.

    Args:
        body: JSON, behind which binary tensors may follow.
        json_length: the header `Inference-Header-Content-Length`, if it was sent: how many bytes
            of the body are JSON. Where it is 0, the body is one encoded picture.
        model: from the path.
        version: from the path; empty where it has none.
        max_json_depth: how many arrays and objects may lie in each other.

    Raises:
        RequestError: the body is not what the protocol says.
        ImageInvalid: a picture's base64 is broken.
        OptionInvalid: shared memory, which is not offered, or classification of another output
            than the probabilities.
    """
    length = _length(json_length, len(body))
    if length == 0 and json_length is not None:
        picture = InputTensor(IMAGE, BYTES, (1,), [body])
        return InferRequest(InferenceRequest(model, version, [picture]), "", frozenset(), True)
    document = _parse(body[:length], max_json_depth)
    outputs = document.outputs or []
    default = bool((document.parameters or RequestParameters()).binary_data_output)
    return InferRequest(
        InferenceRequest(
            model,
            version,
            _inputs(document.inputs, memoryview(body)[length:]),
            tuple(output.name for output in outputs),
            {output.name: count for output in outputs if (count := _strongest(output))},
        ),
        document.id or "",
        frozenset(output.name for output in outputs if _binary(output, default)),
        default,
    )


def _length(header: str | None, size: int) -> int:
    if header is None:
        return size
    length = announced_bytes(header)
    if length is None or length > size:
        raise RequestError(
            f"{HEADER_LENGTH} must be the number of bytes of the JSON at the body's start."
        )
    return length


def _parse(text: bytes, max_depth: int) -> InferBody:
    document = read_json(text, max_depth, MAX_NUMBERS, _SHAPE)
    try:
        return InferBody.model_validate(document)
    except ValidationError as error:
        raise _unfit(error) from error


def _unfit(error: ValidationError) -> RequestError:
    """Return what is wrong with the JSON, and what to send instead."""
    problem = error.errors()[0]
    place, kind = ".".join(map(str, problem["loc"])), problem["type"]
    if not place:
        return RequestError(f"The JSON is no object; send {_SHAPE}.")
    if kind == "too_long":
        most = problem["ctx"]["max_length"]
        return RequestError(f"The request has more than {most} {place}; send fewer.")
    if kind in _FITTING:
        return RequestError(f"The JSON's {place} does not fit; send {_FITTING[kind]} there.")
    return RequestError(f"The JSON's {place} is missing or does not fit; send {_SHAPE}.")


def _strongest(output: Output) -> int:
    count = (output.parameters or OutputParameters()).classification or 0
    check_classification(output.name, count)
    return count


def _binary(output: Output, default: bool) -> bool:
    parameters = output.parameters or OutputParameters()
    refuse_shared_memory(parameters.shared_memory_region)
    wanted = parameters.binary_data
    return default if wanted is None else wanted


def _inputs(inputs: list[Input], tail: memoryview) -> list[InputTensor]:
    tensors, start = [], 0
    for each in inputs:
        parameters = each.parameters or InputParameters()
        refuse_shared_memory(parameters.shared_memory_region)
        size = parameters.binary_data_size
        if size is None:
            tensors.append(_from_json(each, parameters.content_type))
        elif each.data is not None:
            raise RequestError(f"The input {each.name!r} has data and binary data; send one.")
        else:
            raw = bytes(tail[start : start + size])
            tensors.append(InputTensor.from_raw(each.name, each.datatype, tuple(each.shape), raw))
            start += size
    if start != len(tail):
        raise RequestError(
            f"The inputs' binary_data_size say {start} bytes, and {len(tail)} follow the JSON; "
            f"send as many as they say, and {HEADER_LENGTH}."
        )
    return tensors


def _from_json(tensor: Input, content_type: str | None) -> InputTensor:
    shape = tuple(tensor.shape)
    if tensor.data is None:
        raise RequestError(f"The input {tensor.name!r} has no data; send {_SHAPE}.")
    if tensor.datatype != BYTES:
        return InputTensor.from_numbers(tensor.name, tensor.datatype, shape, tensor.data)
    if content_type not in {None, "base64"}:
        raise OptionInvalid("The content_type of pictures is base64; send their bytes so.")
    if not all(isinstance(element, str) for element in tensor.data):
        raise RequestError(
            f"The data of the input {tensor.name!r} are not strings; send pictures in base64."
        )
    pictures = [from_base64(text, number) for number, text in enumerate(tensor.data, 1)]
    return InputTensor(tensor.name, tensor.datatype, shape, pictures)
