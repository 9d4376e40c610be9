"""The HTTP application: routes, middleware and handlers of errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount

from pawsight_serving.errors import PawsightError
from pawsight_serving.gateway.http.answers import Json
from pawsight_serving.gateway.http.authentication import ApiKeyMiddleware
from pawsight_serving.gateway.http.cross_origin import CrossOrigin
from pawsight_serving.gateway.http.errors import on_error, on_no_route
from pawsight_serving.gateway.http.health import HealthEndpoints
from pawsight_serving.gateway.http.inference import InferenceEndpoints
from pawsight_serving.gateway.http.models import ModelEndpoints
from pawsight_serving.gateway.http.open_inference.endpoints import OpenInferenceEndpoints
from pawsight_serving.gateway.http.openapi import openapi_document
from pawsight_serving.gateway.http.pages import DOCS_ASSETS, Pages
from pawsight_serving.gateway.http.request_middleware import RequestMiddleware
from pawsight_serving.gateway.http.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

    from pawsight_serving.gateway.core import Gateway
    from pawsight_serving.gateway.metrics import Metrics
    from pawsight_serving.gateway.open_inference.core import OpenInference
    from pawsight_serving.observability.observation import Observer
    from pawsight_serving.readiness import Readiness
    from pawsight_serving.security.api_keys import ApiKeys
    from pawsight_serving.settings import GatewaySettings


def create_app(
    gateway: Gateway,
    open_inference: OpenInference,
    readiness: Readiness,
    metrics: Metrics,
    observer: Observer,
    settings: GatewaySettings,
    keys: ApiKeys | None = None,
) -> Starlette:
    """Return the application; it checks API keys where there are any."""
    inference = InferenceEndpoints(gateway, settings)
    models = ModelEndpoints(gateway, readiness)
    health = HealthEndpoints(readiness, metrics, gateway)
    pages = Pages()
    document = openapi_document()

    middleware = [Middleware(RequestMiddleware, observer=observer)]
    if origins := settings.cors_origins.split():
        middleware.append(Middleware(CrossOrigin, origins=origins))
    if keys is not None:
        middleware.append(Middleware(ApiKeyMiddleware, keys=keys))

    async def no_action(request: Request) -> Json:
        if request.path_params["action"] in {"predict", "explain"}:
            raise HTTPException(405, headers={"allow": "POST"})
        raise HTTPException(404)

    async def openapi(request: Request) -> Json:  # noqa: ARG001
        return Json(document)

    both = ["GET", "POST"]
    app = Starlette(
        routes=[
            Route("/v1/models/{name}:predict", inference.predict, methods=["POST"]),
            Route("/v1/models/{name}:explain", inference.explain, methods=["POST"]),
            Route(
                "/v1/models/{name}/versions/{version}:predict", inference.predict, methods=["POST"]
            ),
            Route(
                "/v1/models/{name}/versions/{version}:explain", inference.explain, methods=["POST"]
            ),
            # Before the descriptions, which would take the action for a part of the name.
            Route("/v1/models/{name}:{action}", no_action, methods=both, include_in_schema=False),
            Route(
                "/v1/models/{name}/versions/{version}:{action}",
                no_action,
                methods=both,
                include_in_schema=False,
            ),
            Route("/v1/models", models.list_models),
            Route("/v1/models/{name}", models.get_model),
            Route("/v1/models/{name}/versions/{version}", models.get_model),
            Route("/v1/models/{name}/filters/{layer}.png", models.get_filters),
            Route("/v1/models/{name}/versions/{version}/filters/{layer}.png", models.get_filters),
            *OpenInferenceEndpoints(open_inference, settings).routes(),
            Route("/healthz", health.alive),
            Route("/readyz", health.ready),
            Route("/metrics", health.metrics),
            Route("/", pages.index),
            Route("/docs", pages.docs),
            Mount(DOCS_ASSETS, pages.docs_assets),
            Route("/openapi.json", openapi),
        ],
        middleware=middleware,
        exception_handlers={PawsightError: on_error, HTTPException: on_no_route},
    )
    # A redirect would lead to whatever host the caller has named.
    app.router.redirect_slashes = False
    return app
