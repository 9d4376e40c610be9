"""The gateway's client of the sidecar."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import ExplainerStub
from pawsight_serving.errors import DeadlineExceeded, ExplainerUnavailable, InternalError
from pawsight_serving.gateway.heartbeat import Heartbeat
from pawsight_serving.messages.queries import explain_request
from pawsight_serving.messages.tensors import read_tensor
from pawsight_serving.observability.observation import merge_timing, outgoing
from pawsight_serving.repository.graphs import Outputs
from pawsight_serving.requests.calls import UNFORESEEN, cancelled_for_shutdown, task_was_cancelled
from pawsight_serving.rpc.methods import TIMING_KEY
from pawsight_serving.rpc.request_ids import REQUEST_ID_KEY
from pawsight_serving.rpc.statuses import error_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_proto.v1.pawsight_pb2_grpc import ExplainerAsyncStub
    from pawsight_serving.addresses import Address
    from pawsight_serving.explanations.queries import Query
    from pawsight_serving.requests.calls import Call

Q = TypeVar("Q")
A = TypeVar("A")

SERVICE: Final = pb.DESCRIPTOR.services_by_name["Explainer"].full_name

_CHECK_S: Final = 1.0
# One that is only slow has answered by then.
_FROZEN_AFTER_S: Final = 5.0
_CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A sidecar that comes back is found again within a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Despite its name, this is how long one attempt to connect may take.
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
)
# Where a process is frozen, gRPC gives up its connection some time after the first deadlines.
_SILENT: Final = {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE}
_DOWN: Final = (
    "The explainer is not running, so there are predictions but no explanations now; "
    "try again in a few seconds."
)


class ExplainerClient:
    """Calls the sidecar at the address that it has at the moment."""

    def __init__(self) -> None:
        self._channel: grpc.aio.Channel | None = None
        self._stub: ExplainerAsyncStub | None = None
        self._heartbeat = Heartbeat(self._answers)

    async def connect(self, address: Address) -> None:
        """Send calls to this address from now on."""
        await self.disconnect()
        self._channel = grpc.aio.insecure_channel(str(address), _CHANNEL_OPTIONS)
        self._stub = ExplainerStub(self._channel)
        self._heartbeat.start()

    async def disconnect(self) -> None:
        """Fail calls until the next `connect`, those under way included."""
        self._stub = None
        await self._heartbeat.stop()
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    @property
    def connected(self) -> bool:
        """Whether there is a connection to the sidecar at this moment, and it answers."""
        ready = grpc.ChannelConnectivity.READY
        frozen = self.since_last_answer_s() > _FROZEN_AFTER_S
        return not frozen and self._channel is not None and self._channel.get_state() is ready

    def since_last_answer_s(self) -> float:
        """Return the seconds for which the sidecar has answered nothing; 0 without a sidecar."""
        return self._heartbeat.since_last_answer_s()

    async def explain(
        self, query: Query, pictures: Sequence[bytes], call: Call, *, tensors: bool
    ) -> pb.ExplainResponse:
        """Return the sidecar's answer.

        Args:
            query: what is asked.
            pictures: the encoded pictures.
            call: the request's id and deadline.
            tensors: whether the values come as tensors, not as maps.

        Raises:
            PawsightError: the sidecar's own error, as it raised it.
            ExplainerUnavailable: it cannot be reached, or ended before it had answered.
            DeadlineExceeded: the deadline passed first.
        """
        request = explain_request(query, pictures, tensors=tensors)
        return await self._ask(self._connected().Explain, request, call)

    async def infer(
        self,
        graph: str,
        version: str,
        images: NDArray[np.uint8],
        outputs: Sequence[str],
        call: Call,
    ) -> Outputs:
        """Run a graph there; the arguments are as those of `Engine.infer`.

        Raises:
            PawsightError: as `explain`.
        """
        request = pb.InferRequest(
            graph=graph, version=version, pixels=images.tobytes(), outputs=outputs
        )
        response = await self._ask(self._connected().Infer, request, call)
        values = {tensor.name: read_tensor(tensor) for tensor in response.tensors}
        return Outputs(values, response.digest)

    async def metrics(self) -> bytes:
        """Return what the sidecar tells Prometheus; nothing where it is down."""
        if self._stub is None:
            return b""
        try:
            answer = await self._stub.GetMetrics(pb.GetMetricsRequest(), timeout=_CHECK_S)
        except asyncio.CancelledError:
            if task_was_cancelled():
                raise
            return b""
        except (grpc.aio.AioRpcError, grpc.aio.UsageError):
            return b""
        return answer.text

    async def ready(self, model: str) -> bool:
        """Return whether the sidecar says that this model answers; False where it is down."""
        try:
            return bool(await self._health(model) == HealthCheckResponse.SERVING)
        except grpc.aio.AioRpcError:
            return False

    async def _answers(self) -> bool:
        try:
            await self._health(SERVICE)
        except grpc.aio.AioRpcError as status:
            return status.code() not in _SILENT
        return True

    async def _health(self, service: str) -> int:
        """Return what the sidecar says of a service's or a model's health; UNKNOWN without one."""
        if self._channel is None:
            return HealthCheckResponse.UNKNOWN
        check: grpc.aio.UnaryUnaryMultiCallable[HealthCheckRequest, HealthCheckResponse]
        check = self._channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            HealthCheckRequest.SerializeToString,
            HealthCheckResponse.FromString,
        )
        try:
            response = await check(HealthCheckRequest(service=service), timeout=_CHECK_S)
        except asyncio.CancelledError:
            if task_was_cancelled():
                raise
            return HealthCheckResponse.UNKNOWN
        except grpc.aio.UsageError:
            return HealthCheckResponse.UNKNOWN
        return response.status

    def _connected(self) -> ExplainerAsyncStub:
        if self._stub is None or self.since_last_answer_s() > _FROZEN_AFTER_S:
            raise ExplainerUnavailable(_DOWN)
        return self._stub

    async def _ask(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Q, A], request: Q, call: Call
    ) -> A:
        try:
            asked = method(
                request,
                timeout=call.deadline.remaining_s(),
                metadata=((REQUEST_ID_KEY, call.request_id), *outgoing()),
            )
            answer = await asked
            for key, value in await asked.trailing_metadata():
                if key == TIMING_KEY:
                    merge_timing(str(value), "render")
        except asyncio.CancelledError as error:
            if task_was_cancelled() or cancelled_for_shutdown():
                raise
            # It was `disconnect` that cancelled the call.
            raise ExplainerUnavailable(_DOWN) from error
        except grpc.aio.AioRpcError as status:
            if ours := error_of(status):
                raise ours from status
            if status.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise DeadlineExceeded(
                    "The explanation was not ready before the deadline; allow more time."
                ) from status
            if status.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
                raise ExplainerUnavailable(_DOWN) from status
            raise InternalError(UNFORESEEN) from status
        return answer
