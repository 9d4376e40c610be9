"""Middleware that lets pages of other origins call (CORS)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.middleware.cors import CORSMiddleware

from pawsight_serving.api_keys import HEADER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp


class CrossOrigin(CORSMiddleware):
    """Lets pages of these origins call, and read what the answers' headers say.

    Args:
        app: what answers.
        origins: such as `https://example.org`; `*` is every one.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=(
                *("authorization", "content-type", HEADER, "x-request-id", "x-request-timeout"),
                *("inference-header-content-length", "traceparent"),
            ),
            expose_headers=(
                *("x-request-id", "retry-after", "inference-header-content-length"),
                *("x-pawsight-digest", "x-pawsight-layer", "x-pawsight-target"),
                "x-pawsight-channels",
            ),
        )
