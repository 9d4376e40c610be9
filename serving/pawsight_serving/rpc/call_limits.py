"""Bounds on calls whose request has not come yet: their number, and the time they may take.

gRPC itself waits for a message for ever, and refuses some calls with messages of its own that
appear in no log. Here such calls are bounded, counted, logged and answered like any other.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.message import DecodeError

from pawsight_serving.errors import (
    DeadlineExceeded,
    Overloaded,
    PawsightError,
    RequestError,
    Unavailable,
)
from pawsight_serving.observability.observation import CANCELLED
from pawsight_serving.requests.calls import STOPPING, cancelled_for_shutdown
from pawsight_serving.rpc.callers_deadlines import callers_deadline
from pawsight_serving.rpc.refusals import abort, refusing, unknown_method
from pawsight_serving.rpc.request_ids import request_id_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from grpc.aio import ServicerContext

    from pawsight_serving.observability.observation import Observer
    from pawsight_serving.settings import GatewaySettings

    Handler = grpc.RpcMethodHandler[Any, Any]
    Context = ServicerContext[Any, Any]

# gRPC's own services, whose streams end in silence.
_OF_GRPC: Final = "/grpc."
_ENDED_WITHIN_S: Final = 0.1
# What HTTP/2 counts for an entry beside its name and value (RFC 9113, 6.5.2).
_ENTRY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class CallLimits:
    """The bounds on calls; see the settings `max-connections` and those of the same names."""

    max_calls: int = 1024
    body_timeout_s: float = 20.0
    idle_timeout_s: float = 300.0

    @classmethod
    def of(cls, settings: GatewaySettings) -> CallLimits:
        """Return the bounds in the settings."""
        return cls(settings.max_connections, settings.body_timeout_s, settings.idle_timeout_s)


class CallLimiter(grpc.aio.ServerInterceptor):
    """Bounds the number of calls at once, their metadata, and the time that they may take to send.

    The transport bounds metadata only where its caller has acknowledged the server's settings.

    Args:
        limits: the bounds.
        observer: is told of every call that ends before its method has begun.
        max_metadata_bytes: bytes that a call's metadata may have.
    """

    def __init__(
        self, limits: CallLimits, observer: Observer, max_metadata_bytes: int = 16 * 1024
    ) -> None:
        self._limits = limits
        self._observer = observer
        self._max_metadata_bytes = max_metadata_bytes
        self._calls = 0
        self._known: dict[Handler, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the method's handler with bounds, or one that refuses."""
        details: Any = handler_call_details
        # First, as every look at so much of it holds up all other callers.
        if _is_larger(details, self._max_metadata_bytes):
            too_large = RequestError(
                f"The call's metadata has more than {self._max_metadata_bytes} bytes; send less."
            )
            return refusing(too_large, request_id_of(None), self._observer)
        if self._calls >= self._limits.max_calls:
            error = Overloaded(
                f"The server has {self._limits.max_calls} calls and takes no more; wait a moment, "
                "then try again."
            )
            return refusing(error, request_id_of(details.invocation_metadata), self._observer)
        self._calls += 1
        # The task is the whole call's, however it ends.
        if (call := asyncio.current_task()) is not None:
            call.add_done_callback(self._ended)
        handler = await continuation(handler_call_details)
        if handler is None:
            request_id = request_id_of(details.invocation_metadata)
            return unknown_method(details.method, request_id, self._observer)
        return self._bounded(handler, details.method)

    def _ended(self, call: asyncio.Task[Any]) -> None:
        del call
        self._calls -= 1

    def _bounded(self, handler: Any, method: str) -> Handler:
        if handler.stream_stream is not None:
            return self._with_idle_bound(handler, silent=method.startswith(_OF_GRPC))
        if handler.stream_unary is not None:
            return handler  # type: ignore[no-any-return] # it refuses, and reads nothing
        if handler not in self._known:
            self._known[handler] = self._with_time_for_the_request(handler)
        return self._known[handler]

    def _with_time_for_the_request(self, handler: Any) -> Handler:
        """Return a handler of streams, as those begin before the request has come."""
        answer = handler.unary_unary or handler.unary_stream
        if not inspect.iscoroutinefunction(answer):
            return handler  # type: ignore[no-any-return]

        async def patient(_: object, context: Context) -> Any:
            since_s = time.perf_counter()
            late = callers_deadline(context)
            try:
                request = await self._request(context)
            except PawsightError as error:
                return await abort(context, error, self._tell(context, error.code, since_s))
            except asyncio.CancelledError:
                if cancelled_for_shutdown():
                    stopping = Unavailable(STOPPING)
                    request_id = self._tell(context, stopping.code, since_s)
                    return await abort(context, stopping, request_id)
                code = DeadlineExceeded.code if late.passed() else CANCELLED
                self._tell(context, code, since_s)
                raise
            answered = await answer(request, context)
            # It is sent once this has returned.
            call, unread = self._expect_reading()
            call.add_done_callback(lambda _: unread.cancel())
            return answered

        made = (
            grpc.stream_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.stream_unary_rpc_method_handler
        )
        return made(patient, handler.request_deserializer, handler.response_serializer)

    def _with_idle_bound(self, handler: Any, *, silent: bool) -> Handler:
        async def patient(_: object, context: Context) -> AsyncGenerator[Any, None]:
            since_s = time.perf_counter()
            requests = self._requests(context, silent=silent)
            try:
                async with aclosing(handler.stream_stream(requests, context)) as answers:
                    async for answer in answers:
                        _, unread = self._expect_reading()
                        try:
                            yield answer
                        finally:
                            unread.cancel()
            except PawsightError as error:
                # Our own methods tell of theirs; gRPC's let what their requests raise pass.
                await abort(context, error, self._tell(context, error.code, since_s))

        return grpc.stream_stream_rpc_method_handler(
            patient, handler.request_deserializer, handler.response_serializer
        )

    def _expect_reading(self) -> tuple[asyncio.Task[Any], asyncio.TimerHandle]:
        """Return the running call, and what ends it in a while unless that is cancelled.

        The transport waits for ever for a caller who reads nothing of an answer.
        """
        call: Any = asyncio.current_task()
        loop = asyncio.get_running_loop()
        return call, loop.call_later(self._limits.idle_timeout_s, call.cancel)

    def _tell(self, context: Context, code: str, since_s: float) -> str:
        """Report a call whose method never began to the observer, and return its id."""
        request_id = request_id_of(context.invocation_metadata())
        self._observer.refused("grpc", request_id, code, time.perf_counter() - since_s)
        return request_id

    async def _request(self, context: Context) -> Any:
        """Return the one request of a call."""
        try:
            async with asyncio.timeout(self._limits.body_timeout_s):
                request = await context.read()
        except TimeoutError as error:
            raise DeadlineExceeded(
                "The request came too slowly; send it faster or in parts."
            ) from error
        except DecodeError as error:
            raise _not_a_message() from error
        if request is grpc.aio.EOF:
            # The same comes where the transport has ended the call; then it is cancelled soon.
            await asyncio.sleep(_ENDED_WITHIN_S)
            raise RequestError("The call brought no request; send one message.")
        return request

    async def _requests(self, context: Context, *, silent: bool) -> AsyncGenerator[Any, None]:
        """Yield the requests of a stream; `silent` ends an idle one without an error."""
        idle_s = self._limits.idle_timeout_s
        while True:
            try:
                async with asyncio.timeout(idle_s):
                    request = await context.read()
            except TimeoutError as error:
                if silent:
                    return
                raise DeadlineExceeded(
                    f"The stream brought no request for {idle_s:g} s; open one when there is more."
                ) from error
            except DecodeError as error:
                raise _not_a_message() from error
            if request is grpc.aio.EOF:
                return
            yield request


def _is_larger(details: Any, max_bytes: int) -> bool:
    """Return whether a call's method and metadata have more bytes, counted as HTTP/2 does."""
    left = max_bytes - len(details.method)
    for name, value in details.invocation_metadata or ():
        if left < 0:
            break
        left -= len(name) + len(value) + _ENTRY_BYTES
    return left < 0


def _not_a_message() -> RequestError:
    return RequestError("The request is not a message of this method; check the client's protocol.")
