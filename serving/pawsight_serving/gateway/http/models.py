"""What is served, and whether it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import Response  # noqa: TC002 - FastAPI reads the annotation

from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.gateway.http.answers import Json, model_answer
from pawsight_serving.gateway.http.schemas import (
    ModelAnswer,
    ModelsAnswer,
    StatusAnswer,
    failures,
)

if TYPE_CHECKING:
    from pawsight_serving.gateway.core import Gateway
    from pawsight_serving.readiness import Readiness


def model_routes(gateway: Gateway, readiness: Readiness) -> APIRouter:
    """Return the routes that describe models and tell the server's health."""
    routes = APIRouter()

    @routes.get("/healthz", response_model=StatusAnswer, tags=["health"])
    async def alive() -> Response:
        """Say that the process is alive."""
        return Json({"status": "alive"})

    @routes.get("/readyz", response_model=StatusAnswer, responses=failures(503), tags=["health"])
    async def ready() -> Response:
        """Say whether every model has just answered a real inference."""
        if not readiness.ready:
            raise EngineUnavailable("The models do not answer now; try again in a moment.")
        return Json({"status": "ready"})

    @routes.get("/v1/models", response_model=ModelsAnswer, tags=["models"])
    async def list_models() -> Response:
        """Describe every served model."""
        return Json(
            {
                "models": [
                    model_answer(manifest, ready=readiness.model_ready(manifest.name))
                    for manifest in gateway.models()
                ]
            }
        )

    @routes.get(
        "/v1/models/{name}", response_model=ModelAnswer, responses=failures(404), tags=["models"]
    )
    async def get_model(name: str) -> Response:
        """Describe one model."""
        manifest = gateway.model(name)
        return Json(model_answer(manifest, ready=readiness.model_ready(name)))

    return routes
