"""The options in a request's query and headers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pawsight_serving.calls import Call
from pawsight_serving.deadlines import Deadline
from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explainer.explanations import Drawing, Query
from pawsight_serving.settings import MAX_NUMBERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from pawsight_serving.gateway.http.media_types import MediaType

TIMEOUT_HEADER = "X-Request-Timeout"
_FORMATS: Final[Mapping[MediaType, Literal["PNG", "WEBP"]]] = {
    "image/png": "PNG",
    "image/webp": "WEBP",
}


class ExplainOptions(BaseModel):
    """The query of `:explain`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str = Field(
        "grad-cam",
        description="`grad-cam`, `activations`, `hirescam`, `layercam`, `grad-cam++`, `saliency`, "
        "`smoothgrad`, `occlusion` or `rise`; a model says which `methods` it offers.",
    )
    layer: str = Field(
        "",
        description="Layer to explain, several as `conv1,conv3`, or `all` [default: the last "
        "convolutional one].",
    )
    target: str = Field(
        "",
        description="Class to explain, several as `cat,dog`, or `all`; not for activations "
        "[default: the predicted one].",
    )
    channels: str = Field(
        "",
        pattern=r"^(\d{1,9}(,\d{1,9})*)?$",
        description="Channels to return, as `0,3,17`, for activations alone [default: the 16 with "
        "the largest mean, strongest first].",
    )
    top: int = Field(
        0, ge=0, le=65535, description="For activations: so many of the strongest channels."
    )
    overlay: bool = Field(
        True, description="Whether the JSON holds the drawing, `overlay_png`, beside the values."
    )
    sheet: bool = Field(
        False,
        description="Whether to draw one sheet for each picture, with picture, maps and scales; in "
        "JSON `sheets` instead of `overlay_png`.",
    )
    alpha: float = Field(
        0.75, ge=0, le=1, description="How opaque the strongest evidence covers the picture."
    )
    colormap: str = Field(
        "",
        description="`inferno`, `magma`, `plasma`, `viridis` or `cividis` [default: inferno, for "
        "activations viridis].",
    )
    faithfulness: bool = Field(
        False,
        description="Whether to measure deletion and insertion: does the model mind the pixels "
        "that the map points at?",
    )
    samples: int = Field(
        0, ge=0, le=65535, description="Passes of `rise` and `smoothgrad` [default: 512 and 24]."
    )
    seed: int = Field(0, ge=0, le=2**63 - 1, description="Seed of `rise` and `smoothgrad`.")

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

    def query(self, model: str, version: str, wanted: MediaType) -> Query:
        """Return what is asked of a model, for an answer of that media type.

        Raises:
            OptionInvalid: an option of the drawing does not fit, also where nothing is to be drawn.
        """
        picture = wanted in _FORMATS
        drawing = Drawing(
            _FORMATS.get(wanted, "PNG"),
            self.alpha,
            self.colormap,
            # One picture has to show all of them.
            self.sheet or (picture and self._several),
        )
        json = wanted == "application/json"
        return Query(
            model=model,
            version=version,
            method=self.method,
            layer=self.layer,
            target=self.target,
            channels=tuple(map(int, filter(None, self.channels.split(",")))),
            top=self.top,
            samples=self.samples,
            seed=self.seed,
            faithfulness=self.faithfulness,
            drawing=drawing if picture or (json and self.overlay) else None,
            max_values=MAX_NUMBERS if json else None,
        )

    @property
    def _several(self) -> bool:
        """Whether there may be several explanations of a picture."""
        return any(name == "all" or "," in name for name in (self.layer, self.target))


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
