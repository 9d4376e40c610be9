"""One version of a model, checked, loaded and warmed before anybody is served by it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pawsight_serving.engines.sessions import GraphSession, Sharing
from pawsight_serving.errors import EngineUnavailable, RepositoryInvalid
from pawsight_serving.repository.directory import read_graph

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pawsight_serving.engines.protocol import Graphs
    from pawsight_serving.repository.manifest import Manifest

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedVersion:
    """A version that can answer: its manifest, and a session for each of its loaded graphs."""

    manifest: Manifest
    sessions: Mapping[str, GraphSession]


def load_version(
    repository: Path, manifest: Manifest, graphs: Graphs, sharing: Sharing
) -> LoadedVersion:
    """Load a version.

    The digests of both graphs are checked even where one alone is loaded: gateway and sidecar
    refuse the same versions.

    Args:
        repository: the model repository.
        manifest: of the version.
        graphs: "hot" leaves the `_explain` graph on disk.
        sharing: how calls share the processor; the `_explain` graph is held once.

    Raises:
        RepositoryInvalid: a graph is not what was published, or is of another engine.
        EngineUnavailable: a graph cannot be loaded or run, or gives what is no number.
    """
    sessions: dict[str, GraphSession] = {}
    for graph, published in manifest.graphs.items():
        model = read_graph(repository, manifest, graph)
        if not published.file.endswith(".onnx"):
            raise RepositoryInvalid(
                f"{manifest.name} version {manifest.version} was exported for {manifest.engine} "
                "and runs in Triton alone; serve it with --triton, or export it for onnxruntime."
            )
        is_hot = graph == manifest.name
        if graphs == "hot" and not is_hot:
            continue
        shared = sharing
        if not is_hot and sharing.sessions == "both":
            shared = Sharing(sharing.calls, "latency", sharing.processors)
        try:
            sessions[graph] = GraphSession(
                model, manifest.arithmetic(graph), manifest.input_size, shared
            )
        except EngineUnavailable as error:
            raise EngineUnavailable(
                f"The engine cannot load {graph} version {manifest.version}. {error}"
            ) from error
        logger.info(
            "loaded %s version %s on %s", graph, manifest.version, sessions[graph].providers[0]
        )
    return LoadedVersion(manifest, sessions)
