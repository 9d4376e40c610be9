"""Middleware that checks API keys over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers

from pawsight_serving.errors import Unauthenticated
from pawsight_serving.gateway.http.errors import error_answer
from pawsight_serving.observability.observation import identified_as
from pawsight_serving.security.api_keys import HEADER

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from pawsight_serving.security.api_keys import ApiKeys

# What platforms probe, and the pages, which hold nothing but themselves.
OPEN: Final = frozenset(
    {"/", "/docs", "/openapi.json", "/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"}
)
_OPEN_FOLDER: Final = "/docs/assets/"


class ApiKeyMiddleware:
    """Lets requests with a known API key pass, and all requests for health or a page.

    Args:
        app: the application that answers requests with a key.
        keys: the known keys.
    """

    def __init__(self, app: ASGIApp, keys: ApiKeys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"] not in OPEN and not scope["path"].startswith(_OPEN_FOLDER):
            headers = Headers(scope=scope)
            try:
                identified_as(self._keys.name_of(headers.get("authorization"), headers.get(HEADER)))
            except Unauthenticated as error:
                answer = error_answer(
                    error, scope["state"]["request_id"], headers={"www-authenticate": "Bearer"}
                )
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)
