"""Middleware: every request has an id, and nothing unforeseen gets out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from pawsight_serving.calls import UNFORESEEN, accept_request_id
from pawsight_serving.errors import InternalError
from pawsight_serving.gateway.http.errors import error_answer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)


class RequestIds:
    """Gives every request an id and echoes it; answers for what fails unforeseen.

    Args:
        app: what answers otherwise.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = accept_request_id(Headers(scope=scope).get("x-request-id"))
        scope["state"] = {"request_id": request_id}
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"].append((b"x-request-id", request_id.encode()))
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            logger.info("request %s: the caller left", request_id)
        except Exception:
            logger.exception("request %s failed", request_id)
            if not started:
                answer = error_answer(InternalError(UNFORESEEN), request_id)
                await answer(scope, receive, send_with_id)
