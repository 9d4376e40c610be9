"""A gRPC server with health and reflection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from pawsight_serving.errors import AddressUnavailable
from pawsight_serving.settings import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING


class RpcServer:
    """Serves a set of services beside `grpc.health.v1.Health` and reflection.

    Args:
        address: where to listen; port 0 lets the system choose.
        services: full service name to what adds its servicer to a server.
        max_message_bytes: larger requests are refused by the transport.

    Raises:
        AddressUnavailable: the address is taken.
    """

    def __init__(
        self,
        address: Address,
        services: Mapping[str, Callable[[grpc.aio.Server], None]],
        max_message_bytes: int,
    ) -> None:
        self._services = tuple(services)
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(
            options=(
                # Two programs on one port would share its calls at random.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", max_message_bytes),
                ("grpc.max_send_message_length", -1),
            )
        )
        for add in services.values():
            add(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (*services, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )
        try:
            port = self._server.add_insecure_port(str(address))
        except RuntimeError as error:
            raise AddressUnavailable(address) from error
        self.address: Final = Address(address.host, port)

    async def start(self) -> None:
        """Accept calls; every service is NOT_SERVING until `set_ready`."""
        await self.set_ready(ready=False)
        await self._server.start()

    async def set_ready(self, *, ready: bool) -> None:
        """Tell health's callers and watchers."""
        for service in ("", *self._services):
            await self._health.set(service, _SERVING if ready else _NOT_SERVING)

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, finish those under way within `grace_s`, then cancel them."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)
