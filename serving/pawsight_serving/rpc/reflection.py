"""Reflection, under the name that tools ask for first and under the one that they fall back to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf import descriptor_pool
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
    pool: Any = _Descriptors()
    reflection.enable_server_reflection(listed, server, pool)
    method = grpc.stream_stream_rpc_method_handler(
        reflection.aio.ReflectionServicer(listed, pool).ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    handler = grpc.method_handlers_generic_handler(_V1, {"ServerReflectionInfo": method})
    server.add_generic_rpc_handlers((handler,))


class _Descriptors:
    """The default pool, which finds the file of a method too, as SERVICE.METHOD."""

    def __init__(self) -> None:
        self._pool = descriptor_pool.Default()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, symbol: str) -> Any:  # noqa: N802 - protobuf's name
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            return self._pool.FindMethodByName(symbol).containing_service.file
