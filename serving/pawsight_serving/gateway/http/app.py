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
    from collections.abc import Sequence

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
    health = HealthEndpoints(readiness, metrics, gateway)
    pages = Pages()
    document = openapi_document()

    async def openapi(request: Request) -> Json:  # noqa: ARG001
        return Json(document)

    app = Starlette(
        routes=[
            *_model_routes(
                InferenceEndpoints(gateway, settings), ModelEndpoints(gateway, readiness)
            ),
            *OpenInferenceEndpoints(open_inference, settings).routes(),
            Route("/healthz", health.alive),
            Route("/readyz", health.ready),
            Route("/metrics", health.metrics),
            Route("/", pages.index),
            Route("/docs", pages.docs),
            Mount(DOCS_ASSETS, pages.docs_assets),
            Route("/openapi.json", openapi),
        ],
        middleware=_middleware(observer, settings.cors_origins.split(), keys),
        exception_handlers={PawsightError: on_error, HTTPException: on_no_route},
    )
    # A redirect would lead to whatever host the caller has named.
    app.router.redirect_slashes = False
    return app


def _model_routes(inference: InferenceEndpoints, models: ModelEndpoints) -> list[Route]:
    """Return the routes of `/v1`, those of a model with and without a version."""
    return [
        Route("/v1/models", models.list_models),
        *(
            route
            for model in ("/v1/models/{name}", "/v1/models/{name}/versions/{version}")
            for route in (
                Route(f"{model}:predict", inference.predict, methods=["POST"]),
                Route(f"{model}:explain", inference.explain, methods=["POST"]),
                # Before the description, which would take the action for a part of the name.
                Route(
                    f"{model}:{{action}}",
                    no_action,
                    methods=["GET", "POST"],
                    include_in_schema=False,
                ),
                Route(model, models.get_model),
                Route(f"{model}/filters/{{layer}}.png", models.get_filters),
            )
        ),
    ]


async def no_action(request: Request) -> Json:
    """Refuse what is no action of a model, and to do one that is not posted."""
    if request.path_params["action"] in {"predict", "explain"}:
        raise HTTPException(405, headers={"allow": "POST"})
    raise HTTPException(404)


def _middleware(
    observer: Observer, origins: Sequence[str], keys: ApiKeys | None
) -> list[Middleware]:
    """Return what a request passes on its way to its handler, from the outside in."""
    middleware = [Middleware(RequestMiddleware, observer=observer)]
    if origins:
        middleware.append(Middleware(CrossOrigin, origins=origins))
    if keys is not None:
        middleware.append(Middleware(ApiKeyMiddleware, keys=keys))
    return middleware
