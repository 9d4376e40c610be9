"""The core over HTTP."""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from pawsight_serving.calls import UNFORESEEN, accept_request_id
from pawsight_serving.errors import InternalError, OptionInvalid, PawsightError, RouteNotFound
from pawsight_serving.gateway.http.answers import Json, error_answer
from pawsight_serving.gateway.http.inference import inference_routes
from pawsight_serving.gateway.http.models import model_routes
from pawsight_serving.gateway.http.options import request_id_of
from pawsight_serving.gateway.http.pages import page_routes

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from pawsight_serving.gateway.core import Gateway
    from pawsight_serving.readiness import Readiness
    from pawsight_serving.settings import GatewaySettings

logger = logging.getLogger(__name__)


def create_app(gateway: Gateway, readiness: Readiness, settings: GatewaySettings) -> FastAPI:
    """Return the application: CONTRACT's routes over the core."""
    app = FastAPI(
        title="Pawsight",
        version=version("pawsight"),
        summary="Cat or dog, and why.",
        docs_url=None,
        redoc_url=None,
    )
    # The bundled Swagger UI reads 3.0 and no newer.
    app.openapi_version = "3.0.3"
    app.include_router(inference_routes(gateway, settings))
    app.include_router(model_routes(gateway, readiness))
    app.include_router(page_routes())
    app.add_middleware(RequestIds)
    app.add_exception_handler(PawsightError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_bad_option)
    app.add_exception_handler(HTTPException, _on_no_route)
    return app


class RequestIds:
    """Gives every request an id, echoes it, and lets no unforeseen error out.

    Args:
        app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = accept_request_id(Headers(scope=scope).get("x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)["x-request-id"] = request_id
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


async def _on_error(request: Request, error: Exception) -> Json:
    if not isinstance(error, PawsightError):
        raise error
    return error_answer(error, request_id_of(request))


async def _on_bad_option(request: Request, error: Exception) -> Json:
    if not isinstance(error, RequestValidationError):
        raise error
    name = str(error.errors()[0]["loc"][-1])
    return error_answer(
        OptionInvalid(f"The option {name!r} is unknown or does not fit; /docs has the options."),
        request_id_of(request),
    )


async def _on_no_route(request: Request, error: Exception) -> Json:
    if not isinstance(error, HTTPException):
        raise error
    return error_answer(
        RouteNotFound(
            f"There is no {request.method} {request.url.path} here; /docs has the routes."
        ),
        request_id_of(request),
        status=error.status_code,
        headers=error.headers,
    )
