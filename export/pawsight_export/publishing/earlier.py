"""What is published of a model already, as its next version finds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pawsight_serving.engines.transient_errors import is_transient
from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository.directory import published_versions, read_manifest
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX
from pawsight_serving.repository.served import read_graph_config
from pawsight_serving.repository.version_policy import allowed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tritonclient.grpc.model_config_pb2 import ModelConfig

    from pawsight_serving.repository.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Earlier:
    """The earlier versions of a model, in rising order.

    Attributes:
        served: those that are served.
        versions: those up to the newest that is served, as the ones above it were rolled back; all
            where none is served.
        manifests: of these, without those that are broken.
        configurations: of the graphs, by their names, without those that are broken.
        broken_configurations: what is wrong with the others.
    """

    served: Sequence[str] = ()
    versions: Sequence[str] = ()
    manifests: Sequence[Manifest] = ()
    configurations: Mapping[str, ModelConfig] = field(default_factory=dict)
    broken_configurations: Sequence[RepositoryInvalid] = ()


def read_earlier(repository: Path, name: str) -> Earlier:
    """Return the earlier versions of a model.

    Raises:
        RepositoryInvalid: the model's folder, a configuration or a manifest is not given, by the
            disk or to this user; servers may have it.
    """
    published = published_versions(repository, name)
    if not published:
        return Earlier()
    configurations, broken = {}, []
    for graph in (name, name + EXPLAIN_SUFFIX):
        try:
            configurations[graph] = read_graph_config(repository, graph)
        except RepositoryInvalid as error:
            if is_transient(error):
                raise
            broken.append(error)
    served = allowed(configurations[name], published) if name in configurations else []
    # Where the folder of all that was served is gone, nothing says that the others may go too.
    newest = served[-1] if served else published[-1]
    versions = [each for each in published if int(each) <= int(newest)]
    manifests = _unbroken(repository, name, versions)
    return Earlier(served, versions, manifests, configurations, broken)


def _unbroken(repository: Path, name: str, versions: Sequence[str]) -> list[Manifest]:
    found = []
    for version in versions:
        try:
            found.append(read_manifest(repository, name, version))
        except RepositoryInvalid as error:
            if is_transient(error):
                raise
    return found
