"""What is asked of the explainer, in the messages of `pawsight.v1` and out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explanations.queries import ALPHA, Drawing, Query
from pawsight_serving.settings import MAX_NUMBERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_RENDERINGS: Final[Mapping[Literal["PNG", "WEBP"], pb.Rendering.ValueType]] = {
    "PNG": pb.RENDERING_PNG,
    "WEBP": pb.RENDERING_WEBP,
}
_FORMATS: Final = {rendering: format_ for format_, rendering in _RENDERINGS.items()}


def query_of(request: pb.ExplainRequest) -> Query:
    """Return what a request asks.

    Raises:
        OptionInvalid: an option of the drawing does not fit, also where nothing is to be drawn,
            or a number is larger than any that can be meant.
    """
    if request.rendering not in (pb.RENDERING_UNSPECIFIED, *_FORMATS):
        raise OptionInvalid("Give a `rendering` that is one of: RENDERING_PNG, RENDERING_WEBP.")
    drawing = Drawing(
        _FORMATS.get(request.rendering, "PNG"),
        request.alpha if request.HasField("alpha") else ALPHA,
        request.colormap,
        request.sheet,
    )
    return Query(
        model=request.model,
        version=request.version,
        method=request.method,
        layer=request.layer,
        target=request.target,
        channels=tuple(request.channels),
        top=request.top,
        samples=request.samples,
        seed=request.seed,
        faithfulness=request.faithfulness,
        drawing=drawing if request.rendering in _FORMATS else None,
        max_values=None if request.tensors else MAX_NUMBERS,
    )


def explain_request(query: Query, pictures: Sequence[bytes], *, tensors: bool) -> pb.ExplainRequest:
    """Return the request that asks this; the values come as tensors, or as maps."""
    request = pb.ExplainRequest(
        model=query.model,
        version=query.version,
        images=pictures,
        method=query.method,
        layer=query.layer,
        target=query.target,
        channels=query.channels,
        top=query.top,
        samples=query.samples,
        seed=query.seed,
        faithfulness=query.faithfulness,
        tensors=tensors,
    )
    if (drawing := query.drawing) is not None:
        request.rendering = _RENDERINGS[drawing.format]
        request.alpha, request.colormap = drawing.alpha, drawing.colormap
        request.sheet = drawing.sheet
    return request
