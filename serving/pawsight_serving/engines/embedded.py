"""The embedded engine: ONNX Runtime in this process."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort

from pawsight_serving.catalogue import find_model
from pawsight_serving.engines.providers import choose_providers
from pawsight_serving.errors import (
    EngineUnavailable,
    ModelNotFound,
    OptionInvalid,
    PawsightError,
)
from pawsight_serving.repository.directory import read_graph, read_manifests
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX
from pawsight_serving.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pawsight_serving.deadlines import Deadline
    from pawsight_serving.engines.protocol import Graphs
    from pawsight_serving.repository.manifest import Manifest

logger = logging.getLogger(__name__)


class EmbeddedEngine:
    """Runs the graphs of a repository folder in a pool of threads.

    Args:
        repository: the folder, in Triton's layout.
        graphs: "hot" leaves the `_explain` graphs on disk, for a process that never runs them.
        threads: calls that run at a time.
    """

    def __init__(self, repository: Path, *, graphs: Graphs = "all", threads: int = 2) -> None:
        self._repository = repository
        self._graphs = graphs
        self._workers = Workers(threads, "engine")
        self._manifests: list[Manifest] = []
        self._sessions: dict[tuple[str, str], ort.InferenceSession] = {}

    async def start(self) -> None:
        """Load every published graph and run each once; see `Engine.start`."""
        self._manifests = await asyncio.to_thread(read_manifests, self._repository)
        for manifest in self._manifests:
            for graph in manifest.graphs:
                if self._graphs == "all" or graph == manifest.name:
                    self._sessions[graph, manifest.version] = await asyncio.to_thread(
                        self._load, manifest, graph
                    )

    def manifests(self) -> Sequence[Manifest]:
        """Return what is loaded; see `Engine.manifests`."""
        return self._manifests

    async def infer(
        self,
        graph: str,
        version: str,
        images: NDArray[np.uint8],
        outputs: Sequence[str],
        deadline: Deadline,
    ) -> Mapping[str, NDArray[np.float32]]:
        """Run one graph on a batch; see `Engine.infer`."""
        session = self._session(graph, version)

        def run() -> list[NDArray[np.float32]]:
            results: list[NDArray[np.float32]] = session.run(list(outputs), {"image": images})
            return results

        try:
            async with deadline.enforced():
                results = await self._workers.run(run, deadline)
        except ort.capi.onnxruntime_pybind11_state.InvalidArgument as error:
            raise OptionInvalid(
                f"The graph {graph} does not take these pictures or has no such output."
            ) from error
        except PawsightError:
            raise
        except Exception as error:
            logger.exception("graph %s version %s failed", graph, version)
            raise EngineUnavailable(
                "The engine could not run the model; try again in a moment."
            ) from error
        return dict(zip(outputs, results, strict=True))

    async def close(self) -> None:
        """Finish the calls under way and release the graphs; see `Engine.close`."""
        self._sessions = {}
        self._manifests = []
        await asyncio.to_thread(self._workers.close)

    def _session(self, graph: str, version: str) -> ort.InferenceSession:
        session = self._sessions.get((graph, version))
        if session is None:
            find_model(self._manifests, graph.removesuffix(EXPLAIN_SUFFIX), version)
            raise ModelNotFound(graph, tuple(sorted({name for name, _ in self._sessions})))
        return session

    def _load(self, manifest: Manifest, graph: str) -> ort.InferenceSession:
        model = read_graph(self._repository, manifest, graph)
        options = ort.SessionOptions()
        options.log_severity_level = 3
        # A pool that spins between calls takes the core that decoding needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        precision = manifest.precision
        if graph != manifest.name:
            # It computes in float32 over the weights of the hot graph, unpacked once, here.
            precision = "fp32"
            options.add_session_config_entry("session.disable_quant_qdq", "1")
        try:
            session = ort.InferenceSession(
                model,
                options,
                providers=choose_providers(ort.get_available_providers(), precision),
            )
            height, width = manifest.input_size
            session.run(None, {"image": np.zeros((1, height, width, 3), np.uint8)})
        except Exception as error:
            raise EngineUnavailable(
                f"The engine cannot load {graph} version {manifest.version}; "
                "the log has what ONNX Runtime says."
            ) from error
        logger.info("loaded %s version %s on %s", graph, manifest.version, session.get_providers())
        return session
