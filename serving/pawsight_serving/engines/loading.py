"""One version of a model, checked, loaded and warmed before anybody is served by it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pawsight_serving.engines.sessions import GraphSession
from pawsight_serving.errors import EngineUnavailable, RepositoryInvalid
from pawsight_serving.repository.directory import read_graph
from pawsight_serving.threads.dynamic_batching import DynamicBatcher

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.engines.protocol import Graphs
    from pawsight_serving.engines.sessions import Outputs
    from pawsight_serving.engines.sharing import Sharing
    from pawsight_serving.repository.manifest import Manifest

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedVersion:
    """A version that can answer.

    Attributes:
        manifest: the version's.
        sessions: of its loaded graphs, by name.
        joint: runs single pictures of several calls in one batch of the hot graph, for all
            outputs; a session does not hold it, so that it goes with its last user.
    """

    manifest: Manifest
    sessions: Mapping[str, GraphSession]
    joint: DynamicBatcher[NDArray[np.uint8], Outputs]


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
        sharing: how calls share the processor; the `_explain` graph runs each by itself.

    Raises:
        RepositoryInvalid: a graph is not what was published, has not the outputs that the manifest
            names, or is of another engine.
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
        # A batch of all layers' maps would hold hundreds of megabytes: nothing warms up for one.
        shared = sharing if is_hot else replace(sharing, largest_batch=1)
        try:
            sessions[graph] = GraphSession(
                model,
                manifest.arithmetic(graph),
                manifest.input_size,
                shared,
                in_parts=not is_hot,
            )
        except EngineUnavailable as error:
            raise EngineUnavailable(
                f"The engine cannot load {graph} version {manifest.version}. {error}"
            ) from error
        if not sessions[graph].has_shapes(published.outputs):
            raise RepositoryInvalid(
                f"{graph} version {manifest.version} has not the outputs that its manifest names; "
                "export the model again."
            )
        logger.info(
            "loaded %s version %s on %s", graph, manifest.version, sessions[graph].providers[0]
        )
    hot = sessions[manifest.name]
    joint = DynamicBatcher(hot.run_each, hot.batch_sizes, sharing.threads.streams)
    return LoadedVersion(manifest, sessions, joint)
