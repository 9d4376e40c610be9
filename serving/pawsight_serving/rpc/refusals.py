"""Calls that are turned away before their method begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import grpc

from pawsight_serving.errors import RouteNotFound
from pawsight_serving.rpc.statuses import ending_of

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    from pawsight_serving.errors import PawsightError
    from pawsight_serving.observability.observation import Observer


def refusing(
    error: PawsightError, request_id: str, observer: Observer
) -> grpc.RpcMethodHandler[Any, Any]:
    """Return a handler that answers with an error, and report the refusal to the observer.

    It handles the call as a stream of requests, whatever its method, so that none of it is read.
    """
    observer.refused("grpc", request_id, error.code)

    async def refuse(requests: object, context: ServicerContext[Any, Any]) -> None:  # noqa: ARG001
        await abort(context, error, request_id)

    return grpc.stream_unary_rpc_method_handler(refuse)


async def abort(
    context: ServicerContext[Any, Any], error: PawsightError, request_id: str
) -> NoReturn:
    """End a call with an error."""
    await context.abort(*ending_of(error, request_id))


async def abort_unimplemented(
    context: ServicerContext[Any, Any], error: RouteNotFound, request_id: str
) -> NoReturn:
    """End a call of a method that is not offered, with the status that gRPC has for it."""
    _, sentence, metadata = ending_of(error, request_id)
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, sentence, metadata)


def unknown_method(
    method: str, request_id: str, observer: Observer
) -> grpc.RpcMethodHandler[Any, Any]:
    """Return a handler that says so, and have the call counted and logged."""
    observer.refused("grpc", request_id, RouteNotFound.code)

    async def refuse(requests: object, context: ServicerContext[Any, Any]) -> None:  # noqa: ARG001
        error = RouteNotFound(
            f"There is no method {method!r} here; reflection lists the services and their methods."
        )
        await abort_unimplemented(context, error, request_id)

    return grpc.stream_unary_rpc_method_handler(refuse)
