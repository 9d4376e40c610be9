"""A gRPC server with health and reflection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from pawsight_serving.addresses import Address, bind
from pawsight_serving.errors import AddressUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING


class RpcServer:
    """Serves a set of services beside `grpc.health.v1.Health` and reflection.

    Args:
        services: full service name to what adds its servicer to a server.
        max_message_bytes: larger requests are refused by the transport.
    """

    def __init__(
        self, services: Mapping[str, Callable[[grpc.aio.Server], None]], max_message_bytes: int
    ) -> None:
        self._services = services
        self._max_message_bytes = max_message_bytes
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None

    async def start(self, address: Address) -> Address:
        """Accept calls, and return where; every service is NOT_SERVING until `set_ready`.

        Raises:
            AddressUnavailable: the address is taken.
        """
        # gRPC would tell of a taken port on standard error, in its own words.
        bind(address).close()
        # The server takes hold of the running loop, so it is made here.
        server = grpc.aio.server(
            options=(
                # Two programs on one port would share its calls at random.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", self._max_message_bytes),
                ("grpc.max_send_message_length", -1),
            )
        )
        for add in self._services.values():
            add(server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(
            (*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME), server
        )
        try:
            port = server.add_insecure_port(str(address))
        except RuntimeError as error:
            raise AddressUnavailable(address) from error
        await self.set_ready(False)
        await server.start()
        self._server = server
        return Address(address.host, port)

    async def set_ready(self, ready: bool) -> None:
        """Tell health's callers and watchers."""
        for service in ("", *self._services):
            await self._health.set(service, _SERVING if ready else _NOT_SERVING)

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, finish those under way within `grace_s`, then cancel them."""
        if self._server is not None:
            await self._health.enter_graceful_shutdown()
            await self._server.stop(grace_s)
