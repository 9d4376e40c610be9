"""A gRPC server with health and reflection."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from pawsight_serving.addresses import Address, bind
from pawsight_serving.errors import AddressUnavailable
from pawsight_serving.observability.observation import Observer
from pawsight_serving.rpc.authentication import ApiKeyInterceptor
from pawsight_serving.rpc.call_limits import CallLimiter, CallLimits
from pawsight_serving.rpc.health import Health
from pawsight_serving.rpc.in_flight import InFlight
from pawsight_serving.rpc.reflection import add_reflection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pawsight_serving.security.api_keys import ApiKeys
    from pawsight_serving.security.tls import Tls

# What calls that were cut off may take to say so.
_LAST_WORDS_S: Final = 1.0
# Above 1000 calls that have just come, gRPC itself cancels some at random and says nothing. Each is
# to be told that there are too many and when to come back, so it must get as far as the limiter.
_MAX_PENDING_CALLS: Final = 20_000


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Options of a server: its certificate, its callers' keys and its bounds.

    Args:
        tls: the server's certificate; without it, calls are not encrypted.
        keys: the API keys, one of which a caller must bring; without them, everybody may call.
        call_limits: the bounds on calls, streams and health's watchers included; without it, none.
        max_metadata_bytes: bytes that a call's metadata may have.
        handshake_timeout_s: how long a connection may take to be made, and to acknowledge the
            settings.
        observer: is told of every call that is refused.
    """

    tls: Tls | None = None
    keys: ApiKeys | None = None
    call_limits: CallLimits | None = None
    max_metadata_bytes: int = 16 * 1024
    handshake_timeout_s: float = 10.0
    observer: Observer = field(default_factory=Observer)


class RpcServer:
    """Serves a set of services beside `grpc.health.v1.Health` and reflection.

    Args:
        services: full service name to what adds its servicer to a server.
        max_message_bytes: larger requests are refused by the transport.
        options: certificate, keys and bounds.
    """

    def __init__(
        self,
        services: Mapping[str, Callable[[grpc.aio.Server], None]],
        max_message_bytes: int,
        options: ServerOptions | None = None,
    ) -> None:
        self._services = services
        self._max_message_bytes = max_message_bytes
        self._options = options or ServerOptions()
        self._health = Health(tuple(services))
        self._in_flight = InFlight()
        self._server: grpc.aio.Server | None = None

    async def start(self, address: Address, *, shared: bool = False) -> Address:
        """Accept calls, and return where; every service is NOT_SERVING until `set_ready`.

        Args:
            address: where.
            shared: whether other processes accept calls there too.

        Raises:
            AddressUnavailable: the address is taken.
            ConfigurationInvalid: the certificate cannot be used.
        """
        options = self._options
        credentials = None if options.tls is None else options.tls.credentials()
        # gRPC would tell of a taken port on standard error, in its own words.
        bind(address, shared=shared).close()
        # The server takes hold of the running loop, so it is made here.
        server = grpc.aio.server(
            options=(
                # Two programs on one port would share its calls at random.
                ("grpc.so_reuseport", int(shared)),
                ("grpc.max_receive_message_length", _int32(self._max_message_bytes)),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_metadata_size", _int32(options.max_metadata_bytes)),
                ("grpc.absolute_max_metadata_size", _int32(2 * options.max_metadata_bytes)),
                ("grpc.server_handshake_timeout_ms", _int32(options.handshake_timeout_s * 1000)),
                # Until a caller has acknowledged the settings, no bound on metadata holds.
                ("grpc.http2.settings_timeout", _int32(options.handshake_timeout_s * 1000)),
                ("grpc.server.max_pending_requests", _MAX_PENDING_CALLS),
                ("grpc.server.max_pending_requests_hard_limit", _MAX_PENDING_CALLS),
                # A caller whose machine is gone holds no stream for ever.
                ("grpc.keepalive_time_ms", 60_000),
                *_idle_bound(options.call_limits),
            ),
            interceptors=(self._in_flight, *_interceptors(options)),
        )
        for add in self._services.values():
            add(server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        add_reflection((*self._services, health.SERVICE_NAME), server)
        try:
            port = (
                server.add_insecure_port(str(address))
                if credentials is None
                else server.add_secure_port(str(address), credentials)
            )
        except RuntimeError as error:
            raise AddressUnavailable(address) from error
        await server.start()
        self._server = server
        return Address(address.host, port)

    def set_ready(self, ready: bool) -> None:
        """Report to the callers of the health service whether the services are ready."""
        self._health.set_ready(ready)

    def set_models_ready(self, models: Mapping[str, bool]) -> None:
        """Report to the callers of the health service which models are ready, by their names."""
        self._health.set_models_ready(models)

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, finish those under way within `grace_s`, then cut them off."""
        if self._server is None:
            return
        self._health.stop()
        stopping = asyncio.ensure_future(self._server.stop(grace_s + _LAST_WORDS_S))
        done, _ = await asyncio.wait((stopping,), timeout=grace_s)
        if not done:
            self._in_flight.cancel_for_shutdown()
        await stopping


def _interceptors(options: ServerOptions) -> list[grpc.aio.ServerInterceptor]:
    made: list[grpc.aio.ServerInterceptor] = []
    if options.call_limits is not None:
        made.append(CallLimiter(options.call_limits, options.observer, options.max_metadata_bytes))
    if options.keys is not None:
        made.append(ApiKeyInterceptor(options.keys, options.observer))
    return made


def _idle_bound(limits: CallLimits | None) -> tuple[tuple[str, int], ...]:
    if limits is None:
        return ()
    # Whoever opened a connection and never finished a call's headers is idle too.
    return (("grpc.max_connection_idle_ms", _int32(limits.idle_timeout_s * 1000)),)


def _int32(number: float) -> int:
    """Return the number as gRPC takes it; the largest means without end to it."""
    return round(min(number, 2**31 - 1))
