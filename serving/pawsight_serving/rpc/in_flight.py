"""The calls under way, so that those which a server's end cuts off get an answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc

from pawsight_serving.requests.calls import cancel_for_shutdown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = grpc.RpcMethodHandler[Any, Any]


class InFlight(grpc.aio.ServerInterceptor):
    """Knows the calls under way."""

    def __init__(self) -> None:
        self._calls: set[asyncio.Task[Any]] = set()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the method's handler as it is."""
        # The task is the whole call's, however it ends.
        if (call := asyncio.current_task()) is not None:
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
        return await continuation(handler_call_details)

    def cancel_for_shutdown(self) -> None:
        """Have every call end now, and its caller told why."""
        for call in self._calls:
            cancel_for_shutdown(call)
