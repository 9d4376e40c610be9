"""The Triton engine: a Triton Inference Server runs the graphs.

It speaks Triton's gRPC by the stubs of `tritonclient`, whose own client turns statuses into text
and drops what is under way when it closes.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

import grpc
import numpy as np
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from pawsight_serving.catalogue import find_model
from pawsight_serving.deadlines import Deadline
from pawsight_serving.engines.triton_errors import is_not_loaded, meant_by
from pawsight_serving.engines.triton_served import Served, read_served
from pawsight_serving.errors import (
    DeadlineExceeded,
    EngineUnavailable,
    ModelNotFound,
    PawsightError,
    RepositoryInvalid,
    Unavailable,
)
from pawsight_serving.observation import outgoing
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX
from pawsight_serving.warned_once import WarnedOnce

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pawsight_serving.engines.protocol import Graphs, Images
    from pawsight_serving.repository.manifest import Manifest

    Outputs = Mapping[str, NDArray[np.float32]]

logger = logging.getLogger(__name__)

_CHANNEL: Final = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Triton stands beside this process, or in its cluster: not behind a way out.
    ("grpc.enable_http_proxy", 0),
    # By default gRPC waits up to two minutes before it tries a server again.
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Not a pause, whatever its name: so long may one attempt to connect take.
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 500),
    # A channel of its own: one that has just failed elsewhere must not hold this one back.
    ("grpc.use_local_subchannel_pool", 1),
)
_FOLLOW_S: Final = 1.0
_CLOSE_S: Final = 10.0
# Triton loads the graphs of a version one after the other.
_CATCH_UP_S: Final = 3.0
_ASK_AGAIN_S: Final = 0.1


class TritonEngine:
    """Asks a Triton over gRPC, and follows what it loads and unloads.

    A Triton that goes away is tried again and again; until it is back, calls fail at once.

    Args:
        address: `HOST:PORT` of Triton's gRPC.
        graphs: "hot" serves a model whose `_explain` graph Triton does not have.
        start_timeout_s: how long to wait for Triton at the start.
        may_come_later: whether a Triton that is away at the start is looked for afterwards, as one
            that goes away later is; otherwise the start fails.
    """

    prepares = False

    def __init__(
        self,
        address: str,
        *,
        graphs: Graphs = "all",
        start_timeout_s: float = 10.0,
        may_come_later: bool = False,
    ) -> None:
        self._address = address
        self._graphs = graphs
        self._start_timeout_s = start_timeout_s
        self._may_come_later = may_come_later
        # What Triton serves is not known until it has answered once.
        self._awaited = False
        self._served = Served()
        self._channel: grpc.aio.Channel | None = None
        self._triton: Any = None
        self._following: asyncio.Task[None] | None = None
        self._warnings = WarnedOnce(logger)

    async def start(self) -> None:
        """Connect, and read from Triton what it serves; see `Engine.start`."""
        await self._connect()
        try:
            await self._read_first()
        except (Unavailable, DeadlineExceeded) as error:
            if not self._may_come_later:
                raise
            self._awaited = True
            logger.warning("%s Until then nothing is served.", error)
        self._following = asyncio.create_task(self._follow())

    def manifests(self) -> Sequence[Manifest]:
        """Return what Triton has loaded; see `Engine.manifests`."""
        if self._awaited:
            raise EngineUnavailable(
                "Triton has not said yet which models it has; try again in a moment."
            )
        return self._served.manifests

    async def catch_up(self, name: str, version: str, deadline: Deadline) -> None:
        """Ask Triton at once, and wait for a version that it is loading; see `Engine.catch_up`."""
        patience = Deadline(min(deadline.at_s, Deadline.after(_CATCH_UP_S).at_s))
        while not self._has(name, version) and patience.remaining_s():
            await self._look()
            if not self._has(name, version):
                await asyncio.sleep(min(_ASK_AGAIN_S, patience.remaining_s()))
        deadline.check()

    async def infer(
        self,
        graph: str,
        version: str,
        images: Images,
        outputs: Sequence[str],
        deadline: Deadline,
    ) -> Outputs:
        """Run one graph on a batch; see `Engine.infer`.

        A batch over the model's largest goes as several requests at once. The arrays returned
        are read-only.

        Raises:
            Overloaded: Triton's queue is full.
        """
        if callable(images):
            images = await asyncio.to_thread(images)
        largest = self._max_batch(graph, version)
        parts = [images[start : start + largest] for start in range(0, len(images), largest)]
        if len(parts) == 1:
            return await self._infer(graph, version, images, outputs, deadline)
        calls = [
            asyncio.ensure_future(self._infer(graph, version, part, outputs, deadline))
            for part in parts
        ]
        try:
            answers = await asyncio.gather(*calls)
        finally:
            for call in calls:
                call.cancel()
        return {name: np.concatenate([answer[name] for answer in answers]) for name in outputs}

    async def close(self) -> None:
        """Finish the calls under way and disconnect; see `Engine.close`."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        self._served = Served()
        if self._channel is not None:
            await self._channel.close(_CLOSE_S)

    async def _infer(
        self,
        graph: str,
        version: str,
        images: NDArray[np.uint8],
        outputs: Sequence[str],
        deadline: Deadline,
    ) -> Outputs:
        deadline.check()
        remaining_s = deadline.remaining_s()
        # gRPC's deadline ends the call; Triton's own keeps it from being run when it is late.
        timeout = messages.InferParameter(int64_param=max(1, int(remaining_s * 1e6)))
        request = messages.ModelInferRequest(
            model_name=graph,
            model_version=version,
            parameters={"timeout": timeout},
            inputs=[
                messages.ModelInferRequest.InferInputTensor(
                    name="image", datatype="UINT8", shape=images.shape
                )
            ],
            outputs=[
                messages.ModelInferRequest.InferRequestedOutputTensor(name=name) for name in outputs
            ],
            raw_input_contents=[images.tobytes()],
        )
        try:
            answer = await self._triton.ModelInfer(
                request, timeout=remaining_s, metadata=outgoing()
            )
        except grpc.aio.AioRpcError as error:
            if is_not_loaded(error):
                # Withdrawn since Triton was last asked what it serves: then it is not found.
                await self._look()
                self._max_batch(graph, version)
            raise meant_by(error) from error
        return {
            output.name: np.frombuffer(raw, np.float32).reshape(output.shape)
            for output, raw in zip(answer.outputs, answer.raw_output_contents, strict=True)
        }

    async def _connect(self) -> None:
        before = self._channel
        self._channel = grpc.aio.insecure_channel(self._address, options=_CHANNEL)
        self._triton = GRPCInferenceServiceStub(self._channel)
        if before is not None:
            await before.close()

    async def _read_first(self) -> None:
        """Read what Triton serves, and refuse what would fail every request.

        Raises:
            EngineUnavailable: no Triton answers.
            RepositoryInvalid: it has no model of ours, or a broken one.
        """
        try:
            await self._triton.ServerLive(
                messages.ServerLiveRequest(),
                timeout=self._start_timeout_s,
                # One that may come later is told of at once.
                wait_for_ready=not self._may_come_later,
            )
        except grpc.aio.AioRpcError as error:
            raise EngineUnavailable(
                f"No Triton answers gRPC at {self._address}; start one with `pawsight triton`, "
                "or check the address."
            ) from error
        self._served = await read_served(self._triton, self._graphs)
        for fault in self._served.broken.values():
            raise fault
        if not self._served.manifests:
            raise RepositoryInvalid(self._no_models())

    def _no_models(self) -> str:
        return (
            f"The Triton at {self._address} has loaded no model of `pawsight export`; "
            "look at its log, or start it on another repository."
        )

    def _has(self, name: str, version: str) -> bool:
        return any((m.name, m.version) == (name, version) for m in self._served.manifests)

    def _max_batch(self, graph: str, version: str) -> int:
        """Return the largest batch of a graph that Triton has loaded in this version."""
        manifest = find_model(self.manifests(), graph.removesuffix(EXPLAIN_SUFFIX), version)
        if graph not in manifest.graphs or graph not in self._served.max_batch:
            raise ModelNotFound(graph, tuple(sorted(self._served.max_batch)))
        return max(1, self._served.max_batch[graph])

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_FOLLOW_S)
            if self._awaited:
                # Its name may be known only now, and gRPC asks for it ever more seldom.
                await self._connect()
            await self._look()

    async def _look(self) -> None:
        # A Triton that is away or starting has loaded nothing, yet what it will serve again is
        # still the truth for whoever lists models; whether it answers is readiness's.
        try:
            served = await read_served(self._triton, self._graphs)
        except PawsightError as error:
            if self._awaited:
                # The start has said so.
                return
            self._warnings.warn({"": f"what Triton serves is not known now: {error}"})
            return
        except Exception:
            # Whatever went wrong, what was known stays, and the next look may be luckier.
            logger.exception("what Triton serves could not be read")
            return
        served = served.keeping(self._served)
        faults = {
            name: f"what was served of {name} stays: {fault}"
            for name, fault in served.broken.items()
        }
        if served.manifests:
            if self._awaited:
                logger.info("the Triton at %s has come", self._address)
            self._served, self._awaited = served, False
        elif self._awaited:
            faults[""] = self._no_models()
        self._warnings.warn(faults)
