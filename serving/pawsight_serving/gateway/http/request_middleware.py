"""Middleware that gives every request an id, observes it, and answers for unforeseen errors."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from pawsight_serving.errors import InternalError, Unavailable
from pawsight_serving.gateway.http.caching import not_kept
from pawsight_serving.gateway.http.connections import BEGAN, REFUSED_WITH
from pawsight_serving.gateway.http.errors import error_answer
from pawsight_serving.gateway.http.expectations import closing_unless_asked
from pawsight_serving.observability.observation import CANCELLED, REFUSED, TRACEPARENT, timing
from pawsight_serving.requests.calls import (
    STOPPING,
    UNFORESEEN,
    accept_request_id,
    task_was_cancelled,
)

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from pawsight_serving.errors import PawsightError
    from pawsight_serving.observability.observation import Observer
    from pawsight_serving.observability.observed import Observed

logger = logging.getLogger(__name__)

_ALWAYS: Final = ((b"x-content-type-options", b"nosniff"),)
_ENCRYPTED: Final = (*_ALWAYS, (b"strict-transport-security", b"max-age=31536000"))


class RequestMiddleware:
    """Gives every request an id and returns it, and answers for what fails or is cut off.

    Args:
        app: what answers otherwise.
        observer: is told of every request.
    """

    def __init__(self, app: ASGIApp, observer: Observer) -> None:
        self._app = app
        self._observer = observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        receive, send = closing_unless_asked(scope, receive, send)
        headers = Headers(scope=scope)
        state = scope.setdefault("state", {})
        request_id = state.setdefault("request_id", accept_request_id(headers.get("x-request-id")))
        with self._observer.request("http", "", request_id, headers.get(TRACEPARENT)) as observed:
            # It has waited for the event loop since.
            observed.started_s = state.get(BEGAN, observed.started_s)
            try:
                await self._answer(observed, scope, receive, send)
            finally:
                observed.code = state.get(REFUSED_WITH, observed.code)
                endpoint = scope.get("endpoint")
                # What has no endpoint and is answered is a page's file, or a preflight.
                unnamed = "none" if observed.code == "OK" else REFUSED
                observed.method = getattr(endpoint, "__name__", "") or unnamed

    async def _answer(self, observed: Observed, scope: Scope, receive: Receive, send: Send) -> None:
        request_id, started = observed.request_id, False
        always = _headers_of_any_answer(scope)

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] += [
                    (b"x-request-id", request_id.encode()),
                    *not_kept(message["headers"]),
                    *always,
                ]
                if said := timing():
                    message["headers"].append((b"server-timing", said.encode()))
            await send(message)

        failure: PawsightError = InternalError(UNFORESEEN)
        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            observed.code = CANCELLED
            return
        except asyncio.CancelledError:
            # Nobody but the server's end cancels a request here; its caller may be there still.
            if task_was_cancelled():
                failure = Unavailable(STOPPING)
            else:
                logger.exception("request %s waited for what was cancelled", request_id)
        except Exception:
            logger.exception("request %s failed", request_id)
        else:
            return
        observed.code = failure.code
        if not started:
            await error_answer(failure, request_id)(scope, receive, send_with_id)


def _headers_of_any_answer(scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
    encrypted = scope.get("scheme") == "https"
    return (
        _ENCRYPTED
        if encrypted and not _is_loopback(Headers(scope=scope).get("host", ""))
        else _ALWAYS
    )


def _is_loopback(host: str) -> bool:
    """Return whether a Host header names the caller's own machine.

    A browser that is told to keep to HTTPS there does so on every port, and reaches none of the
    other servers that somebody develops on it.
    """
    # What is no host at all is no address either.
    with suppress(ValueError):
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or name.endswith(".localhost") or ip_address(name).is_loopback
    return False
