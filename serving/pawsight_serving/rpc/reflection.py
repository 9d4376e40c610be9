"""Reflection, under the name that tools ask for first and under the one that they fall back to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

_V1: Final = "grpc.reflection.v1.ServerReflection"


def add_reflection(services: Sequence[str], server: grpc.aio.Server) -> None:
    """Describe services to whoever asks the server.

    gRPC's Python package has `v1alpha` alone. `v1` is the same on the wire, so the same servicer
    answers it; it is not listed, as the package cannot describe it.

    Args:
        services: their full names.
        server: one that is not started yet.
    """
    listed = (*services, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(listed, server)
    method = grpc.stream_stream_rpc_method_handler(
        reflection.aio.ReflectionServicer(listed).ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    handler = grpc.method_handlers_generic_handler(_V1, {"ServerReflectionInfo": method})
    server.add_generic_rpc_handlers((handler,))
