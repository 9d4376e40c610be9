"""Middleware that lets pages of other origins call (CORS)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.middleware.cors import CORSMiddleware

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.gateway.http.errors import error_answer
from pawsight_serving.observability.observation import current
from pawsight_serving.security.api_keys import HEADER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.datastructures import Headers
    from starlette.responses import Response
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

    def preflight_response(self, request_headers: Headers) -> Response:
        """Tell a browser whether its page may call, in this server's words where it may not."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < HTTPStatus.BAD_REQUEST:
            return answer
        observed = current()
        kept = {
            name: value for name, value in answer.headers.items() if not name.startswith("content-")
        }
        return error_answer(
            OptionInvalid(
                "This cross-origin request is not allowed; add the page's origin to cors-origins, "
                "and use GET or POST with accepted headers."
            ),
            "" if observed is None else observed.request_id,
            headers=kept,
        )
