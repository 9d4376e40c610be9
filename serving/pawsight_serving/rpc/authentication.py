"""Checks API keys over gRPC: an interceptor before every method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import grpc

from pawsight_serving.errors import Unauthenticated
from pawsight_serving.observability.observation import identified_as
from pawsight_serving.rpc.metadata import first_values
from pawsight_serving.rpc.refusals import refusing
from pawsight_serving.rpc.request_ids import request_id_of
from pawsight_serving.security.api_keys import HEADER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pawsight_serving.observability.observation import Observer
    from pawsight_serving.security.api_keys import ApiKeys

# What platforms probe, and they have no key.
OPEN: Final = (
    "/grpc.health.v1.Health/",
    "/inference.GRPCInferenceService/ServerLive",
    "/inference.GRPCInferenceService/ServerReady",
)


class ApiKeyInterceptor(grpc.aio.ServerInterceptor):
    """Lets calls with a known API key pass, and all calls for health.

    Args:
        keys: the known keys.
        observer: is told of every call that is refused.
    """

    def __init__(self, keys: ApiKeys, observer: Observer) -> None:
        self._keys = keys
        self._observer = observer

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Return the method's handler, or one that refuses."""
        details: Any = handler_call_details
        if details.method.startswith(OPEN):
            return await continuation(handler_call_details)
        metadata = first_values(details.invocation_metadata)
        try:
            name = self._keys.name_of(metadata.get("authorization"), metadata.get(HEADER))
        except Unauthenticated as error:
            return refusing(error, request_id_of(details.invocation_metadata), self._observer)
        identified_as(name)
        return await continuation(handler_call_details)
