"""Calls that are turned away before their method begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import grpc

from pawsight_serving.rpc.statuses import ending_of

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    from pawsight_serving.errors import PawsightError
    from pawsight_serving.observation import Observer


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
