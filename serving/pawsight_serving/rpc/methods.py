"""One call as a servicer sees it: request id and deadline in, errors mapped on the way out."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
import re
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TypeVar

from pawsight_serving.errors import DeadlineExceeded, InternalError, PawsightError, Unavailable
from pawsight_serving.observability.observation import CANCELLED, TRACEPARENT, failed_with, timing
from pawsight_serving.requests.calls import (
    STOPPING,
    UNFORESEEN,
    Call,
    cancelled_for_shutdown,
    task_was_cancelled,
)
from pawsight_serving.requests.deadlines import Deadline
from pawsight_serving.rpc.callers_deadlines import callers_deadline
from pawsight_serving.rpc.metadata import first_values
from pawsight_serving.rpc.request_ids import REQUEST_ID_KEY, request_id_of
from pawsight_serving.rpc.statuses import ending_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator

    from grpc import StatusCode
    from grpc.aio import ServicerContext

    from pawsight_serving.observability.observation import Observer

logger = logging.getLogger(__name__)

TIMING_KEY: Final = "server-timing"


class Servicer(Protocol):
    """The attributes that the decorators need of a servicer."""

    timeout_s: float
    observer: Observer


S = TypeVar("S", bound=Servicer)
Q = TypeVar("Q")
A = TypeVar("A")


def unary(
    method: Callable[[S, Q, Call], Awaitable[A]],
) -> Callable[[S, Q, ServicerContext[Q, A]], Awaitable[A]]:
    """Make a gRPC method of `method`: one request, one answer, within the caller's deadline."""
    name = _name(method)

    @functools.wraps(method)
    async def answer(servicer: S, request: Q, context: ServicerContext[Q, A]) -> Any:
        with _observed(servicer, context, name) as (call, late):
            try:
                async with call.deadline.enforced():
                    response = await method(servicer, request, call)
                context.set_trailing_metadata(_trailing(call))
                return response
            except asyncio.CancelledError as error:
                if task_was_cancelled():
                    # At its deadline gRPC cancels the call too, and may be the first to.
                    failed_with(DeadlineExceeded.code if late.passed() else CANCELLED)
                    raise
                # Without a status the caller would wait for ever.
                return _failed(context, call, error)
            except Exception as error:  # noqa: BLE001 - nothing but a mapped error leaves here
                return _failed(context, call, error)

    return answer


def streaming(
    method: Callable[[S, AsyncIterator[Q], Call], AsyncGenerator[A, None]],
) -> Callable[[S, AsyncIterator[Q], ServicerContext[Q, A]], AsyncIterator[A]]:
    """Make a gRPC method of `method`: requests and answers both stream.

    The call's deadline is the caller's; without one, a stream lasts as long as its caller.
    """
    name = _name(method)

    @functools.wraps(method)
    async def answer(
        servicer: S, requests: AsyncIterator[Q], context: ServicerContext[Q, A]
    ) -> AsyncIterator[A]:
        with _observed(servicer, context, name, unbounded=True) as (call, late):
            try:
                async with aclosing(method(servicer, requests, call)) as responses:
                    async for response in responses:
                        yield response
            except (asyncio.CancelledError, GeneratorExit) as error:
                if cancelled_for_shutdown():
                    await _abort(context, call, error)
                failed_with(CANCELLED)
                raise
            except Exception as error:  # noqa: BLE001 - nothing but a mapped error leaves here
                await _abort(context, call, error)
            finally:
                # gRPC ends a stream at its deadline by cancelling it, or as if it had been read.
                if late.passed():
                    failed_with(DeadlineExceeded.code)

    return answer


def _name(method: Callable[..., object]) -> str:
    """Return the name of a gRPC method as metrics and logs have it, the same as over HTTP."""
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", method.__name__).lower()
    return {"model_infer": "infer", "model_stream_infer": "infer_stream"}.get(snake, snake)


def _trailing(call: Call) -> tuple[tuple[str, str], ...]:
    named = ((REQUEST_ID_KEY, call.request_id),)
    return (*named, (TIMING_KEY, said)) if (said := timing()) else named


@contextmanager
def _observed(
    servicer: Servicer, context: ServicerContext[Any, Any], name: str, *, unbounded: bool = False
) -> Iterator[tuple[Call, Deadline]]:
    """Yield the call, and the moment from which its end means that its deadline passed."""
    metadata = first_values(context.invocation_metadata())
    request_id = request_id_of(metadata.items())
    if unbounded:
        # A stream has no later moment at which it is sure to be told.
        context.set_trailing_metadata(((REQUEST_ID_KEY, request_id),))
    remaining_s = context.time_remaining()
    limit_s = math.inf if unbounded else servicer.timeout_s
    deadline = Deadline.after(limit_s if remaining_s is None else min(remaining_s, limit_s))
    late = min(deadline, callers_deadline(context))
    traceparent = metadata.get(TRACEPARENT)
    with servicer.observer.request(
        "grpc",
        name,
        request_id,
        None if traceparent is None else str(traceparent),
        sent_afterwards=not unbounded,
    ):
        yield Call(request_id, deadline), late


def _failed(context: ServicerContext[Any, Any], call: Call, error: BaseException) -> Any:
    """Set a call's status to the error and return no answer; this is cheaper than to abort it."""
    status, sentence, metadata = _mapped(call, error)
    context.set_code(status)
    context.set_details(sentence)
    context.set_trailing_metadata(metadata)
    return None


async def _abort(context: ServicerContext[Any, Any], call: Call, error: BaseException) -> NoReturn:
    await context.abort(*_mapped(call, error))


def _mapped(
    call: Call, error: BaseException
) -> tuple[StatusCode, str, tuple[tuple[str, str], ...]]:
    if isinstance(error, asyncio.CancelledError) and cancelled_for_shutdown():
        error = Unavailable(STOPPING)
    if not isinstance(error, PawsightError):
        logger.error("request %s failed", call.request_id, exc_info=error)
        error = InternalError(UNFORESEEN)
    failed_with(error.code)
    return ending_of(error, call.request_id)
