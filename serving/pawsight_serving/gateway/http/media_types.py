"""Chooses the media type of an answer by the `Accept` header."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from starlette.requests import Request

MediaType = Literal["application/json", "image/png", "image/webp", "application/x-npy"]

NPY: Final = "application/x-npy"
# Of equally welcome ones that are named as closely the first is taken.
_OFFERED: Final[tuple[MediaType, ...]] = (
    "application/json",
    "image/png",
    "image/webp",
    NPY,
)


def wanted_media_type(request: Request) -> MediaType:
    """Return the media type that the `Accept` header prefers (RFC 9110, 12.5.1).

    Of equally welcome ones that which is named more closely. JSON where it welcomes none of ours,
    unless it excludes JSON and leaves another one.
    """
    specificity: dict[MediaType, int] = {}
    quality: dict[MediaType, float] = {}
    # Lines of one name are one list (RFC 9110, 5.3).
    for part in ",".join(request.headers.getlist("accept")).lower().split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        for kind in _OFFERED:
            ranges = ("*/*", f"{kind.partition('/')[0]}/*", kind)
            if media_range in ranges[specificity.get(kind, 0) :]:
                specificity[kind] = ranges.index(media_range)
                quality[kind] = _quality(parameters)
    welcome = [kind for kind in _OFFERED if quality.get(kind, 0.0) > 0]
    if welcome:
        return max(welcome, key=lambda kind: (quality[kind], specificity[kind]))
    return next((kind for kind in _OFFERED if kind not in quality), _OFFERED[0])


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
