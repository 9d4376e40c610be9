"""Which versions one `config.pbtxt` can serve side by side, and making it another's.

A model has one configuration a graph, whatever versions it serves: one input size, one list of
outputs and labels, one set of accelerators. A version that needs another is not served beside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pawsight_serving.repository.triton_config import model_config
from pawsight_serving.repository.version_policy import forget_versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tritonclient.grpc.model_config_pb2 import ModelConfig

    from pawsight_serving.repository.manifest import Manifest


def served_beside(versions: Sequence[Manifest], newest: Manifest) -> list[Manifest]:
    """Return which versions the configuration of the newest can serve too, in their order."""
    needed = _needs(newest)
    return [version for version in versions if _needs(version) == needed]


def adapt(config: ModelConfig, versions: Sequence[Manifest]) -> None:
    """Make a configuration that of other versions; what was tuned or written by hand stays.

    Args:
        config: of a graph; is changed.
        versions: that it is to serve, newest last; each can be served beside the newest.
    """
    fresh = model_config(versions, config.name)
    for field in ("input", "output"):
        config.ClearField(field)
        getattr(config, field).extend(getattr(fresh, field))
    if config.optimization.HasField("execution_accelerators"):
        config.optimization.ClearField("execution_accelerators")
    if fresh.optimization.HasField("execution_accelerators"):
        config.optimization.execution_accelerators.CopyFrom(
            fresh.optimization.execution_accelerators
        )
    for warm_up in config.model_warmup:
        for image in warm_up.inputs.values():
            # Before the size may stand how many pictures there are.
            image.dims[-3:] = fresh.input[0].dims[-3:]
    for name, parameter in fresh.parameters.items():
        config.parameters[name].CopyFrom(parameter)


def _needs(manifest: Manifest) -> tuple[tuple[str, ...], list[ModelConfig]]:
    """Return the classes and configurations of a version served alone, without its number."""
    configs = [model_config([manifest], graph) for graph in (manifest.name, manifest.explain_name)]
    for config in configs:
        config.ClearField("version_policy")
        forget_versions(config)
    return manifest.classes, configs
