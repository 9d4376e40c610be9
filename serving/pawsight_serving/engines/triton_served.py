"""What a Triton has loaded: the manifests stand in its models' configurations."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import grpc
from tritonclient.grpc import service_pb2 as messages

from pawsight_serving.engines.triton_errors import is_not_loaded, meant_by
from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository.triton_config import configured_manifests

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tritonclient.grpc.model_config_pb2 import ModelConfig

    from pawsight_serving.engines.protocol import Graphs
    from pawsight_serving.repository.manifest import Manifest

_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Served:
    """What a Triton has loaded.

    Attributes:
        manifests: of the versions, newest last within a name.
        max_batch: each graph's largest batch.
        broken: models whose manifests cannot be read, and why.
    """

    manifests: tuple[Manifest, ...] = ()
    max_batch: Mapping[str, int] = field(default_factory=dict)
    broken: Mapping[str, RepositoryInvalid] = field(default_factory=dict)

    def keeping(self, earlier: Served) -> Served:
        """Return this with what was known before of the models that cannot be read now."""
        kept = (each for each in earlier.manifests if each.name in self.broken)
        return replace(self, manifests=_in_order((*self.manifests, *kept)))


async def read_served(triton: Any, graphs: Graphs) -> Served:
    """Return what a Triton can answer for now.

    Args:
        triton: the stub of its gRPC service.
        graphs: "all" leaves a version out until its `_explain` graph is loaded too.

    Raises:
        EngineUnavailable, DeadlineExceeded: Triton does not answer.
    """
    try:
        index = await triton.RepositoryIndex(
            messages.RepositoryIndexRequest(ready=True), timeout=_TIMEOUT_S
        )
        loaded = {(model.name, model.version) for model in index.models}
        answers = await asyncio.gather(
            *(_config(triton, name) for name in sorted({name for name, _ in loaded}))
        )
    except grpc.aio.AioRpcError as error:
        raise meant_by(error) from error
    configs = [config for config in answers if config is not None]
    manifests: list[Manifest] = []
    broken: dict[str, RepositoryInvalid] = {}
    for config in configs:
        try:
            manifests += configured_manifests(config)
        except RepositoryInvalid as error:
            broken[config.name] = error
    return Served(
        _in_order(
            manifest
            for manifest in manifests
            if (manifest.name, manifest.version) in loaded
            and (graphs == "hot" or (manifest.explain_name, manifest.version) in loaded)
        ),
        {config.name: config.max_batch_size for config in configs},
        broken,
    )


async def _config(triton: Any, name: str) -> ModelConfig | None:
    """Return a model's configuration; None where it was unloaded since it was listed."""
    try:
        answer = await triton.ModelConfig(
            messages.ModelConfigRequest(name=name), timeout=_TIMEOUT_S
        )
    except grpc.aio.AioRpcError as error:
        if is_not_loaded(error):
            return None
        raise
    config: ModelConfig = answer.config
    return config


def _in_order(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    return tuple(sorted(manifests, key=lambda found: (found.name, int(found.version))))
