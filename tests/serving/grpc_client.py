"""What the tests ask of a gRPC server beside its own services, with types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

if TYPE_CHECKING:
    import grpc
    from google.protobuf.message import Message

    Watch = grpc.aio.UnaryStreamCall[Message, HealthCheckResponse]

SERVING = HealthCheckResponse.SERVING
NOT_SERVING = HealthCheckResponse.NOT_SERVING


async def check_health(channel: grpc.aio.Channel, service: str) -> int:
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        HealthCheckRequest.SerializeToString,
        HealthCheckResponse.FromString,
    )
    response: HealthCheckResponse = await check(HealthCheckRequest(service=service))
    return response.status


def watch_health(channel: grpc.aio.Channel, service: str) -> Watch:
    watch = channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        HealthCheckRequest.SerializeToString,
        HealthCheckResponse.FromString,
    )
    return watch(HealthCheckRequest(service=service))


async def next_health(watch: Watch) -> int:
    response = await watch.read()
    assert isinstance(response, HealthCheckResponse)
    return response.status


def trailing(error: grpc.aio.AioRpcError) -> dict[str, str]:
    return {key: str(value) for key, value in error.trailing_metadata()}
