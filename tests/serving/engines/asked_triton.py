"""Tritons that tests ask: how, and one of our own that is slower than any."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc.service_pb2_grpc import (
    GRPCInferenceServiceServicer,
    add_GRPCInferenceServiceServicer_to_server,
)

from pawsight_serving.engines.triton import TritonEngine
from pawsight_serving.errors import OptionInvalid
from pawsight_serving.repository.triton_config import model_config
from pawsight_serving.requests.deadlines import Deadline
from tests.serving.tiny_repository import SIDE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pawsight_serving.engines.protocol import Graphs
    from pawsight_serving.repository.manifest import Manifest


@asynccontextmanager
async def connected(address: str, *, graphs: Graphs = "all") -> AsyncIterator[TritonEngine]:
    engine = TritonEngine(address, graphs=graphs)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


async def ask(engine: TritonEngine, level: int = 0, within_s: float = 20) -> float:
    """Return a picture's mean probability; the picture is `level` everywhere."""
    image = np.full((1, SIDE, SIDE, 3), level, np.uint8)
    answer = await engine.infer("tiny", "1", image, ["probabilities"], Deadline.after(within_s))
    return float(answer["probabilities"].mean())


async def heard(engine: TritonEngine) -> None:
    """Return when Triton has read what was sent before: it refuses this on the same connection."""
    image = np.zeros((1, 1, 1, 3), np.uint8)
    with pytest.raises(OptionInvalid):
        await engine.infer("tiny", "1", image, ["probabilities"], Deadline.after(20))


class PatientTriton(GRPCInferenceServiceServicer):  # type: ignore[misc]
    """A Triton that never answers an inference, and knows when its caller gives up."""

    def __init__(self, versions: list[Manifest]) -> None:
        graphs = ("tiny", "tiny_explain") if versions else ()
        self.configs = {graph: model_config(versions, graph) for graph in graphs}
        self.called, self.cancelled = asyncio.Event(), asyncio.Event()

    async def ServerLive(self, request: Any, context: Any) -> Any:  # noqa: N802 - Triton's names
        return messages.ServerLiveResponse(live=True)

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:  # noqa: N802
        models = [{"name": name, "version": "1"} for name in self.configs]
        return messages.RepositoryIndexResponse(models=models)

    async def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return messages.ModelConfigResponse(config=self.configs[request.name])

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.called.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()


@asynccontextmanager
async def answering(triton: PatientTriton, port: int = 0) -> AsyncIterator[str]:
    """Give the address at which such a Triton answers."""
    server = grpc.aio.server()
    add_GRPCInferenceServiceServicer_to_server(triton, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
