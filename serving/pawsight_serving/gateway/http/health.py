"""Liveness, readiness and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.gateway.http.answers import Json

if TYPE_CHECKING:
    from starlette.requests import Request

    from pawsight_serving.gateway.core import Gateway
    from pawsight_serving.gateway.metrics import Metrics
    from pawsight_serving.readiness import Readiness

# prometheus-client's own latest is 1.0.0, which adds names in UTF-8, has none here to add, and is
# unknown to whoever reads by this version's rules.
_TEXT_FORMAT: Final = "text/plain; version=0.0.4; charset=utf-8"


class HealthEndpoints:
    """The endpoints that platforms probe.

    Args:
        readiness: says whether the models answer.
        metrics: the metrics of this process.
        gateway: knows what the sidecar tells it.
    """

    def __init__(self, readiness: Readiness, metrics: Metrics, gateway: Gateway) -> None:
        self._gateway = gateway
        self._readiness = readiness
        self._metrics = metrics

    async def alive(self, request: Request) -> Json:  # noqa: ARG002
        """Say that the process is alive."""
        return Json({"status": "alive"})

    async def ready(self, request: Request) -> Json:  # noqa: ARG002
        """Say whether every model has just answered a real inference."""
        if not self._readiness.ready:
            raise EngineUnavailable("The models do not answer now; try again in a moment.")
        return Json({"status": "ready"})

    async def metrics(self, request: Request) -> Response:  # noqa: ARG002
        """Return this process's metrics and the sidecar's in Prometheus' text format."""
        text = self._metrics.exposition() + await self._gateway.explainer_metrics()
        return Response(text, headers={"content-type": _TEXT_FORMAT})
