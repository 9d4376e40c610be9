"""The options in a request's query and headers."""

from __future__ import annotations

import functools
import math
import re
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explanations.colormap_names import COLORMAPS
from pawsight_serving.explanations.methods.registry import DEFAULT_METHOD, METHODS
from pawsight_serving.explanations.queries import (
    MAX_SAMPLES,
    MAX_SEED,
    MAX_TOP,
    Drawing,
    Query,
)
from pawsight_serving.requests.calls import Call
from pawsight_serving.requests.deadlines import Deadline
from pawsight_serving.settings import MAX_NUMBERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from pawsight_serving.gateway.http.media_types import MediaType

E = TypeVar("E")
R = TypeVar("R")

TIMEOUT_HEADER: Final = "X-Request-Timeout"

_FORMATS: Final[Mapping[MediaType, Literal["PNG", "WEBP"]]] = {
    "image/png": "PNG",
    "image/webp": "WEBP",
}
_SECONDS: Final = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_OF_SEVERAL: Final = frozenset({"layer", "target", "channels"})


def _variable(method: str) -> str:
    """Return a name for generated clients: of what is no letter, two methods would be one."""
    return method.upper().replace("-", "_").replace("++", "_PLUS_PLUS")


class ExplainOptions(BaseModel):
    """The query of `:explain`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str = Field(
        DEFAULT_METHOD,
        description="How to explain; a model says which `methods` it offers.",
        # Told, not checked: what has no such method or colours says so, over gRPC too.
        json_schema_extra={"enum": [*METHODS], "x-enum-varnames": [*map(_variable, METHODS)]},
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
        pattern=r"^([0-9]{1,9}(,[0-9]{1,9})*)?$",
        description="Channels to return, as `0,3,17`, for activations alone [default: the 16 with "
        "the largest mean, strongest first].",
    )
    top: int = Field(
        0, ge=0, le=MAX_TOP, description="For activations: so many of the strongest channels."
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
        0.75, ge=0, le=1, description="How opaquely the strongest evidence covers the picture."
    )
    colormap: str = Field(
        "",
        description="Colours of the drawing [default: inferno, for activations viridis].",
        json_schema_extra={"enum": ["", *COLORMAPS]},
    )
    faithfulness: bool = Field(
        False,
        description="Whether to measure deletion and insertion: how much the prediction depends "
        "on the pixels that the map points at; for JSON alone.",
    )
    samples: int = Field(
        0,
        ge=0,
        le=MAX_SAMPLES,
        description="Passes of `rise` and `smoothgrad` [default: 512 and 24].",
    )
    seed: int = Field(0, ge=0, le=MAX_SEED, description="Seed of `rise` and `smoothgrad`.")

    @classmethod
    def of(cls, request: Request) -> ExplainOptions:
        """Read the query of a request; an option that takes several may be sent several times.

        Raises:
            OptionInvalid: an option that does not exist, or a value that does not fit.
        """
        given: dict[str, str] = {}
        for name, value in request.query_params.multi_items():
            if name not in given:
                given[name] = value
            elif name in _OF_SEVERAL:
                given[name] += f",{value}"
            else:
                raise OptionInvalid(f"The option {name!r} was sent more than once; send it once.")
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            problem = error.errors()[0]
            name = str(problem["loc"][0])
            if name not in cls.model_fields:
                raise _unknown(name, tuple(cls.model_fields)) from error
            raise OptionInvalid(
                f"The value of the option {name!r} does not fit; it takes {_values_of(name)}."
            ) from error

    def query(self, model: str, version: str, wanted: MediaType) -> Query:
        """Return what is asked of a model, for an answer of that media type.

        Raises:
            OptionInvalid: an option of the drawing does not fit, also where nothing is to be drawn;
                or figures are asked for that such an answer has no place for.
        """
        json = wanted == "application/json"
        if self.faithfulness and not json:
            raise OptionInvalid(
                f"{wanted} has no place for what `faithfulness` measures; leave it out, or ask for "
                "application/json."
            )
        picture = wanted in _FORMATS
        drawing = Drawing(
            _FORMATS.get(wanted, "PNG"),
            self.alpha,
            self.colormap,
            # One picture has to show all of them.
            self.sheet or (picture and self._several),
        )
        return Query(
            model=model,
            version=version,
            # An unquoted plus in a URL is a space.
            method=self.method.replace(" ", "+"),
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


def without_options(
    endpoint: Callable[[E, Request], Awaitable[R]],
) -> Callable[[E, Request], Awaitable[R]]:
    """Have a method that answers requests refuse a query, which would else be ignored unseen."""

    @functools.wraps(endpoint)
    async def checked(endpoints: E, request: Request) -> R:
        for name in request.query_params:
            raise _unknown(name, ())
        return await endpoint(endpoints, request)

    return checked


def open_call(request: Request, limit_s: float) -> Call:
    """Return the request's id and deadline.

    Args:
        request: as the middleware has prepared it.
        limit_s: seconds that a request may take where its caller does not ask for less.

    Raises:
        OptionInvalid: `X-Request-Timeout` is not a number of seconds above zero.
    """
    # Lines of one name are one list (RFC 9110, 5.3), and a list is no number.
    given = ", ".join(request.headers.getlist(TIMEOUT_HEADER))
    absent = TIMEOUT_HEADER not in request.headers
    return Call(
        request_id_of(request),
        Deadline.after(limit_s if absent else min(_seconds(given), limit_s)),
    )


def request_id_of(request: Request) -> str:
    """Return the id that the middleware gave the request."""
    request_id: str = request.state.request_id
    return request_id


def _seconds(text: str) -> float:
    seconds = float(text) if _SECONDS.fullmatch(text) else math.nan
    if not 0 < seconds < math.inf:
        raise OptionInvalid(
            f"{TIMEOUT_HEADER} must be a number of seconds above zero, such as 2.5."
        )
    return seconds


def _unknown(name: str, known: tuple[str, ...]) -> OptionInvalid:
    if name == "version":
        return OptionInvalid(
            "A version is not named in the query; name it in the path, behind the model as in "
            "/v1/models/NAME/versions/2."
        )
    options = f"the options are: {', '.join(known)}" if known else "there are none here"
    return OptionInvalid(f"The option {name!r} is unknown; {options}.")


def _values_of(name: str) -> str:
    """Return what values an option takes, in words."""
    schema = ExplainOptions.model_json_schema()["properties"][name]
    if schema["type"] == "boolean":
        return "true or false"
    if schema["type"] == "string":
        return "numbers of channels, such as 0,3,17"
    kind = "whole number" if schema["type"] == "integer" else "number"
    return f"a {kind} from {schema['minimum']} to {schema['maximum']}"
