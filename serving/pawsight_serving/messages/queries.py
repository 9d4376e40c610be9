"""What is asked of the explainer, out of the messages of `pawsight.v1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explainer.explanations import ALPHA, Drawing, Query
from pawsight_serving.explainer.rendering.colormap_names import COLORMAPS

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORMATS: Final[Mapping[int, Literal["PNG", "WEBP"]]] = {
    pb.RENDERING_PNG: "PNG",
    pb.RENDERING_WEBP: "WEBP",
}


def query_of(request: pb.ExplainRequest) -> Query:
    """Return what a request asks.

    Raises:
        OptionInvalid: an option of the drawing does not fit, whichever model is asked.
    """
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
        drawing=_drawing(request),
    )


def _drawing(request: pb.ExplainRequest) -> Drawing | None:
    alpha = request.alpha if request.HasField("alpha") else ALPHA
    if not 0 <= alpha <= 1:
        raise OptionInvalid("Give an `alpha` from 0 to 1.")
    if request.colormap and request.colormap not in COLORMAPS:
        raise OptionInvalid(
            f"The colormap {request.colormap!r} is not one of: {', '.join(COLORMAPS)}."
        )
    if request.rendering == pb.RENDERING_UNSPECIFIED:
        return None
    if request.rendering not in _FORMATS:
        raise OptionInvalid("Give a `rendering` that is one of: RENDERING_PNG, RENDERING_WEBP.")
    return Drawing(_FORMATS[request.rendering], alpha, request.colormap, request.sheet)
