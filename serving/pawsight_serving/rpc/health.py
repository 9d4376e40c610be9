"""`grpc.health.v1.Health`: whether services are ready, asked for once or watched."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from grpc_health.v1 import health_pb2, health_pb2_grpc

from pawsight_serving.errors import NotFound, Unavailable
from pawsight_serving.requests.calls import STOPPING
from pawsight_serving.rpc.refusals import abort
from pawsight_serving.rpc.request_ids import request_id_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from grpc.aio import ServicerContext

_Answer = health_pb2.HealthCheckResponse


class Health(health_pb2_grpc.HealthServicer):
    """The health of the services, of models, and of the server, whose name is empty.

    The library's own forgets those who watch a service once one of them leaves, and holds up a
    server's end until the last has left.

    Args:
        services: the names that have a health; none is ready before `set_ready`.
    """

    def __init__(self, services: Collection[str]) -> None:
        self._services = services
        self._models: Mapping[str, bool] = {}
        self._ready = False
        self._stopping = False
        self._changed = asyncio.Event()

    def set_ready(self, ready: bool) -> None:
        """Tell callers and watchers whether the services are ready, until `stop`."""
        self._ready = ready and not self._stopping
        self._tell()

    def set_models_ready(self, models: Mapping[str, bool]) -> None:
        """Tell callers and watchers which models are ready; other names have no health."""
        if models != self._models:
            self._models = dict(models)
            self._tell()

    def stop(self) -> None:
        """Tell everybody that nothing is ready any longer, and end all watching."""
        self._stopping = True
        self.set_ready(False)

    async def Check(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: ServicerContext[Any, Any]
    ) -> health_pb2.HealthCheckResponse:
        """Say whether a service is ready."""
        if not self._knows(request.service):
            error = NotFound(
                f"There is no service {request.service!r} here; ask for one of: "
                f"{', '.join(self._services)}, or for none, which means the server."
            )
            await abort(context, error, request_id_of(context.invocation_metadata()))
        return _Answer(status=self._health_of(request.service))

    async def Watch(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: ServicerContext[Any, Any]
    ) -> None:
        """Say whether a service is ready, now and at each change, until the server stops."""
        said: int | None = None
        while True:
            # Taken together: while an answer is on its way, the server may begin to stop.
            changed, stopping = self._changed, self._stopping
            health = self._health_of(request.service)
            if health != said:
                await context.write(_Answer(status=health))
                said = health
            if stopping:
                request_id = request_id_of(context.invocation_metadata())
                await abort(context, Unavailable(STOPPING), request_id)
            await changed.wait()

    def _tell(self) -> None:
        # Each watcher waits for the event that it saw last.
        self._changed.set()
        self._changed = asyncio.Event()

    def _knows(self, service: str) -> bool:
        return not service or service in self._services or service in self._models

    def _health_of(self, service: str) -> int:
        if not self._knows(service):
            return _Answer.SERVICE_UNKNOWN
        ready = self._models.get(service, self._ready) and not self._stopping
        return _Answer.SERVING if ready else _Answer.NOT_SERVING
