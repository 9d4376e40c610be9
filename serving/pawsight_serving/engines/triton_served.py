"""What a Triton has loaded: the manifests stand in its models' configurations."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import grpc
from tritonclient.grpc import service_pb2 as messages

from pawsight_serving.engines.triton_errors import meant_by
from pawsight_serving.repository.triton_config import configured_manifests

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pawsight_serving.engines.protocol import Graphs
    from pawsight_serving.repository.manifest import Manifest

_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Served:
    """The versions that are loaded, newest last within a name, and each graph's largest batch."""

    manifests: tuple[Manifest, ...] = ()
    max_batch: Mapping[str, int] = field(default_factory=dict)


async def read_served(triton: Any, graphs: Graphs) -> Served:
    """Return what a Triton can answer for now.

    Args:
        triton: the stub of its gRPC service.
        graphs: "all" leaves a version out until its `_explain` graph is loaded too.

    Raises:
        EngineUnavailable, DeadlineExceeded: Triton does not answer.
        RepositoryInvalid: a configuration holds a manifest that cannot be read.
    """
    try:
        index = await triton.RepositoryIndex(
            messages.RepositoryIndexRequest(ready=True), timeout=_TIMEOUT_S
        )
        loaded = {(model.name, model.version) for model in index.models}
        answers = await asyncio.gather(
            *(
                triton.ModelConfig(messages.ModelConfigRequest(name=name), timeout=_TIMEOUT_S)
                for name in sorted({name for name, _ in loaded})
            )
        )
    except grpc.aio.AioRpcError as error:
        raise meant_by(error) from error
    manifests = [
        manifest
        for answer in answers
        for manifest in configured_manifests(answer.config)
        if (manifest.name, manifest.version) in loaded
        and (graphs == "hot" or (manifest.explain_name, manifest.version) in loaded)
    ]
    return Served(
        tuple(sorted(manifests, key=lambda found: (found.name, int(found.version)))),
        {answer.config.name: answer.config.max_batch_size for answer in answers},
    )
