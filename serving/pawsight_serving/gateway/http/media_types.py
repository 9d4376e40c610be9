"""Chooses the media type of an answer by the `Accept` header."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from starlette.requests import Request

MediaType = Literal["application/json", "image/png", "image/webp", "application/x-npy"]

NPY: Final = "application/x-npy"
# Of equally welcome ones the first is taken.
_OFFERED: Final[tuple[MediaType, ...]] = (
    "application/json",
    "image/png",
    "image/webp",
    "application/x-npy",
)


def wanted_media_type(request: Request) -> MediaType:
    """Return the media type that the `Accept` header prefers.

    JSON where it names none of ours, unless it excludes JSON and leaves another one.
    """
    quality: dict[MediaType, float] = {}
    named: set[MediaType] = set()
    for part in request.headers.get("accept", "").lower().split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        for kind in _OFFERED:
            if media_range == kind:
                quality[kind] = _quality(parameters)
                named.add(kind)
            elif media_range == f"{kind.partition('/')[0]}/*" and kind not in named:
                quality[kind] = _quality(parameters)
    best = max(_OFFERED, key=lambda kind: quality.get(kind, 0.0))
    if quality.get(best, 0.0) > 0:
        return best
    return next((kind for kind in _OFFERED if kind not in quality), best)


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
