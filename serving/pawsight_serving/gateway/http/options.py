"""What a request may say in its query and headers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_serving.calls import Call
from pawsight_serving.deadlines import Deadline
from pawsight_serving.errors import OptionInvalid

if TYPE_CHECKING:
    from starlette.requests import Request

TIMEOUT_HEADER = "X-Request-Timeout"


class ExplainOptions(BaseModel):
    """The query of `:explain`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str = Field("grad-cam", description="`grad-cam` or `activations`.")
    layer: str = Field("", description="Layer to explain [default: the last convolutional one].")
    target: str = Field(
        "", description="Class to explain, for grad-cam alone [default: the predicted one]."
    )
    channels: str = Field(
        "",
        pattern=r"^(\d{1,9}(,\d{1,9})*)?$",
        description="Channels to return, as `0,3,17`, for activations alone [default: the 16 with "
        "the largest mean, strongest first].",
    )
    overlay: bool = Field(
        True, description="Whether the JSON holds the drawing, `overlay_png`, beside the values."
    )

    @classmethod
    def of(cls, request: Request) -> ExplainOptions:
        """Read the query of a request.

        Raises:
            OptionInvalid: an option that does not exist, or a value that does not fit.
        """
        try:
            return cls.model_validate(dict(request.query_params))
        except ValidationError as error:
            name = error.errors()[0]["loc"][0]
            raise OptionInvalid(
                f"The option {name!r} is unknown or its value does not fit; "
                f"the options are: {', '.join(cls.model_fields)}."
            ) from error

    def message(
        self, model: str, version: str, pictures: list[bytes], *, draw: bool
    ) -> pb.ExplainRequest:
        """Return the request to the sidecar."""
        return pb.ExplainRequest(
            model=model,
            version=version,
            images=pictures,
            method=self.method,
            layer=self.layer,
            target=self.target,
            channels=map(int, filter(None, self.channels.split(","))),
            rendering=pb.RENDERING_PNG if draw else pb.RENDERING_UNSPECIFIED,
        )


def open_call(request: Request, limit_s: float) -> Call:
    """Return the request's id and deadline.

    Args:
        request: as the middleware has prepared it.
        limit_s: seconds that a request may take where its caller does not ask for less.

    Raises:
        OptionInvalid: `X-Request-Timeout` is not a number of seconds above zero.
    """
    given = request.headers.get(TIMEOUT_HEADER)
    return Call(
        request_id_of(request),
        Deadline.after(limit_s if given is None else min(_seconds(given), limit_s)),
    )


def request_id_of(request: Request) -> str:
    """Return the id that the middleware gave the request."""
    request_id: str = request.state.request_id
    return request_id


def wants_png(request: Request) -> bool:
    """Whether the caller would rather have a picture than JSON, by its `Accept` header."""
    quality = {"image/png": 0.0, "application/json": 0.0}
    for part in request.headers.get("accept", "").lower().split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        for kind in quality:
            if media_range in {kind, f"{kind.partition('/')[0]}/*"}:
                quality[kind] = _quality(parameters)
    return quality["image/png"] > quality["application/json"]


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        raise OptionInvalid(
            f"{TIMEOUT_HEADER} must be a number of seconds above zero, such as 2.5."
        )
    return seconds
