"""`/v1/models`: descriptions of the served models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from pawsight_serving.gateway.http.answers import Json, model_answer
from pawsight_serving.gateway.http.caching import unless_it_is_kept
from pawsight_serving.gateway.http.options import without_options

if TYPE_CHECKING:
    from starlette.requests import Request

    from pawsight_serving.gateway.core import Gateway
    from pawsight_serving.readiness import Readiness
    from pawsight_serving.repository.manifest import Manifest


class ModelEndpoints:
    """The endpoints that describe models.

    Args:
        gateway: the core.
        readiness: says which models answer.
    """

    def __init__(self, gateway: Gateway, readiness: Readiness) -> None:
        self._gateway = gateway
        self._readiness = readiness

    @without_options
    async def list_models(self, request: Request) -> Json:  # noqa: ARG002
        """Describe every version of every model."""
        return Json({"models": [self._describe(each) for each in self._gateway.models()]})

    @without_options
    async def get_model(self, request: Request) -> Json:
        """Describe one version of a model, the newest where none is named."""
        name, version = request.path_params["name"], request.path_params.get("version", "")
        return Json(self._describe(self._gateway.model(name, version)))

    @without_options
    async def get_filters(self, request: Request) -> Response:
        """Show what the filters of a layer respond to most, as PNG."""
        name, version = request.path_params["name"], request.path_params.get("version", "")
        layer = request.path_params["layer"]
        manifest, png = await self._gateway.filters(name, version, layer)
        digest = f"sha256:{manifest.filters[layer]}"
        answer = Response(png, media_type="image/png", headers={"x-pawsight-digest": digest})
        return unless_it_is_kept(answer, digest, request.headers)

    def _describe(self, manifest: Manifest) -> dict[str, object]:
        return model_answer(
            manifest,
            ready=self._readiness.model_ready(manifest.name),
            default=self._gateway.is_default(manifest.name),
        )
