"""`grpc.health.v1.Health`, whose refusals say what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grpc_health.v1 import health, health_pb2

from pawsight_serving.errors import NotFound
from pawsight_serving.rpc.refusals import abort
from pawsight_serving.rpc.request_ids import request_id_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from grpc.aio import ServicerContext


class Health(health.aio.HealthServicer):
    """The library's, with a sentence for who asks for a service that is none.

    Args:
        services: the names that have a health.
    """

    def __init__(self, services: Collection[str]) -> None:
        super().__init__()
        self._services = services

    async def Check(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: ServicerContext[Any, Any]
    ) -> health_pb2.HealthCheckResponse:
        """Say whether a service is ready."""
        if request.service and request.service not in self._services:
            error = NotFound(
                f"There is no service {request.service!r} here; ask for one of: "
                f"{', '.join(self._services)}, or for none, which means the server."
            )
            await abort(context, error, request_id_of(context.invocation_metadata()))
        return await super().Check(request, context)
