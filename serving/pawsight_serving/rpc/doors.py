"""Who may call over gRPC: an interceptor before every method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import grpc

from pawsight_serving.api_keys import HEADER
from pawsight_serving.calls import accept_request_id
from pawsight_serving.errors import Unauthenticated
from pawsight_serving.observation import failed_with, identified_as
from pawsight_serving.rpc.methods import REQUEST_ID_KEY
from pawsight_serving.rpc.statuses import metadata_of, status_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pawsight_serving.api_keys import ApiKeys
    from pawsight_serving.observation import Observer

# What platforms probe, and they have no key.
OPEN: Final = (
    "/grpc.health.v1.Health/",
    "/inference.GRPCInferenceService/ServerLive",
    "/inference.GRPCInferenceService/ServerReady",
)


class KeyGate(grpc.aio.ServerInterceptor):
    """Lets in who brings a known API key, and whoever asks for health.

    Args:
        keys: the known keys.
        observer: hears of every call that is refused.
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
        metadata = dict(details.invocation_metadata or ())
        try:
            name = self._keys.name_of(metadata.get("authorization"), metadata.get(HEADER))
        except Unauthenticated as error:
            request_id = accept_request_id(metadata.get(REQUEST_ID_KEY))
            with self._observer.request("grpc", "refused", request_id):
                failed_with(error.code)
            return _refusing(await continuation(handler_call_details), error, request_id)
        identified_as(name)
        return await continuation(handler_call_details)


def _refusing(
    handler: grpc.RpcMethodHandler[Any, Any] | None, error: Unauthenticated, request_id: str
) -> grpc.RpcMethodHandler[Any, Any]:
    async def refuse(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:  # noqa: ARG001
        metadata = ((REQUEST_ID_KEY, request_id), *metadata_of(error))
        await context.abort(status_of(error), str(error), metadata)

    async def refuse_stream(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        await refuse(request, context)
        yield

    known: Any = handler
    if known is not None and known.response_streaming:
        stream = (
            grpc.stream_stream_rpc_method_handler
            if known.request_streaming
            else grpc.unary_stream_rpc_method_handler
        )
        return stream(refuse_stream)
    if known is not None and known.request_streaming:
        return grpc.stream_unary_rpc_method_handler(refuse)
    return grpc.unary_unary_rpc_method_handler(refuse)
