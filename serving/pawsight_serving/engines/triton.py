"""The Triton engine: a Triton Inference Server runs the graphs.

It speaks Triton's gRPC by the stubs of `tritonclient`, whose own client turns statuses into text
and drops what is under way when it closes.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import grpc
import numpy as np
from tritonclient.grpc import service_pb2 as messages

from pawsight_serving.engines.triton_errors import away, is_not_loaded, meant_by
from pawsight_serving.engines.triton_following import TritonFollower
from pawsight_serving.errors import DeadlineExceeded, ModelNotFound
from pawsight_serving.observability.observation import outgoing
from pawsight_serving.repository.catalogue import find_model
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX
from pawsight_serving.requests.deadlines import Deadline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pawsight_serving.engines.protocol import Graphs, Images
    from pawsight_serving.errors import PawsightError
    from pawsight_serving.repository.manifest import Manifest

    Outputs = Mapping[str, NDArray[np.float32]]

# Triton loads the graphs of a version one after the other.
_CATCH_UP_S: Final = 3.0


class TritonEngine:
    """Asks a Triton over gRPC, and follows what it loads and unloads.

    A Triton that goes away is tried again and again; until it is back, calls fail at once.

    Args:
        address: `HOST:PORT` of Triton's gRPC.
        graphs: "hot" serves a model whose `_explain` graph Triton does not have.
        start_timeout_s: how long to wait for Triton at the start.
        may_come_later: whether a Triton that is away at the start is looked for afterwards, as one
            that goes away later is; otherwise the start fails.
        without_broken: whether the start goes on for the other models where one is broken.
    """

    prepares = False

    def __init__(
        self,
        address: str,
        *,
        graphs: Graphs = "all",
        start_timeout_s: float = 10.0,
        may_come_later: bool = False,
        without_broken: bool = False,
    ) -> None:
        self._follower = TritonFollower(
            address,
            graphs,
            start_timeout_s=start_timeout_s,
            may_come_later=may_come_later,
            without_broken=without_broken,
        )

    async def start(self) -> None:
        """Connect, and read from Triton what it serves; see `Engine.start`."""
        await self._follower.start()

    def manifests(self) -> Sequence[Manifest]:
        """Return what Triton has loaded; see `Engine.manifests`."""
        return self._follower.served.manifests

    def faults(self) -> Mapping[str, PawsightError]:
        """Return what is wrong with models that are not served; see `Engine.faults`."""
        return self._follower.faults

    def check_reachable(self) -> None:
        """Raise `EngineUnavailable` while no connection comes about.

        A Triton that starts again needs the processor that decoding would take; see
        `Engine.check_reachable`.
        """
        if not self._follower.reachable:
            raise away()

    async def catch_up(self, name: str, version: str, deadline: Deadline) -> None:
        """Ask Triton at once, and wait for a version that it is loading; see `Engine.catch_up`."""
        patience = Deadline(min(deadline.at_s, Deadline.after(_CATCH_UP_S).at_s))
        with suppress(DeadlineExceeded):
            async with patience.enforced():
                while not self._follower.has(name, version):
                    await self._follower.look()
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
        await self._follower.close()

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
            answer = await self._follower.triton.ModelInfer(
                request, timeout=remaining_s, metadata=outgoing()
            )
        except grpc.aio.AioRpcError as error:
            if is_not_loaded(error):
                # Withdrawn since Triton was last asked what it serves: then it is not found.
                async with deadline.enforced():
                    await self._follower.look()
                self._max_batch(graph, version)
            raise meant_by(error) from error
        return {
            output.name: np.frombuffer(raw, np.float32).reshape(output.shape)
            for output, raw in zip(answer.outputs, answer.raw_output_contents, strict=True)
        }

    def _max_batch(self, graph: str, version: str) -> int:
        """Return the largest batch of a graph that Triton has loaded in this version."""
        served = self._follower.served
        manifest = find_model(served.manifests, graph.removesuffix(EXPLAIN_SUFFIX), version)
        if graph not in manifest.graphs or graph not in served.max_batch:
            raise ModelNotFound(graph, tuple(sorted(served.max_batch)))
        return max(1, served.max_batch[graph])
