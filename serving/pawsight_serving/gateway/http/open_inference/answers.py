"""The core's answers as JSON, with or without binary tensors behind it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.gateway.http.open_inference.requests import HEADER_LENGTH
from pawsight_serving.settings import MAX_NUMBERS

if TYPE_CHECKING:
    from pawsight_serving.gateway.http.open_inference.requests import InferRequest
    from pawsight_serving.gateway.open_inference.tensors import InferenceResult


def infer_answer(answered: InferenceResult, request: InferRequest) -> Response:
    """Return the answer to `infer`.

    Raises:
        OptionInvalid: too many numbers for JSON.
    """
    numbers = sum(
        math.prod(output.shape)
        for output in answered.outputs
        if not request.wants_binary(output.name)
    )
    if numbers > MAX_NUMBERS:
        raise OptionInvalid(
            f"The outputs asked for have {numbers} numbers, and JSON takes {MAX_NUMBERS}; "
            "ask for fewer outputs, or for their binary form with binary_data."
        )
    outputs, tail, digests = [], [], {}
    for output in answered.outputs:
        tensor: dict[str, Any] = {
            "name": output.name,
            "datatype": output.datatype,
            "shape": output.shape,
        }
        if request.wants_binary(output.name):
            raw = output.to_raw()
            tensor["parameters"] = {"digest": output.digest, "binary_data_size": len(raw)}
            tail.append(raw)
        else:
            tensor["data"] = output.to_json()
            # Triton's C++ client takes every tensor that has parameters for a binary one.
            digests[f"digest:{output.name}"] = output.digest
        outputs.append(tensor)
    answer: dict[str, Any] = {
        "model_name": answered.model,
        "model_version": answered.version,
        "outputs": outputs,
    }
    if request.id:
        answer["id"] = request.id
    if digests:
        answer["parameters"] = digests
    header = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    if not tail:
        return Response(header, media_type="application/json")
    return Response(
        b"".join([header, *tail]),
        media_type="application/octet-stream",
        headers={HEADER_LENGTH: str(len(header))},
    )
