"""Calls that are turned away before their method begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import grpc

from pawsight_serving.calls import accept_request_id
from pawsight_serving.rpc.methods import REQUEST_ID_KEY
from pawsight_serving.rpc.statuses import metadata_of, status_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from grpc.aio import ServicerContext

    from pawsight_serving.errors import PawsightError
    from pawsight_serving.observation import Observer


def request_id_of(metadata: Iterable[tuple[str, Any]] | None) -> str:
    """Return the caller's id where it is fit for headers and logs, else a new one."""
    return accept_request_id(str(dict(metadata or ()).get(REQUEST_ID_KEY, "")))


def refusing(
    error: PawsightError, request_id: str, observer: Observer
) -> grpc.RpcMethodHandler[Any, Any]:
    """Return a handler that answers with an error, and have the call counted and logged.

    It is one of requests that stream, whatever the method is: so nothing of the request is read.
    """
    observer.refused("grpc", request_id, error.code)

    async def refuse(requests: object, context: ServicerContext[Any, Any]) -> None:  # noqa: ARG001
        await abort(context, error, request_id)

    return grpc.stream_unary_rpc_method_handler(refuse)


async def abort(
    context: ServicerContext[Any, Any], error: PawsightError, request_id: str
) -> NoReturn:
    """End a call with an error."""
    metadata = ((REQUEST_ID_KEY, request_id), *metadata_of(error))
    await context.abort(status_of(error), str(error), metadata)
