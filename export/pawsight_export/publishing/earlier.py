"""What is published of a model already, as its next version finds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pawsight_serving.engines.transient_errors import is_transient
from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository.directory import published_versions, read_manifest
from pawsight_serving.repository.served import served_versions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pawsight_serving.repository.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Earlier:
    """The earlier versions of a model, in rising order.

    Attributes:
        served: those that are served.
        versions: those up to the newest that is served; the ones above it were rolled back.
        manifests: of these, without those that are broken.
        broken_configuration: why nothing says what is served, and what was rolled back.
    """

    served: Sequence[str]
    versions: Sequence[str]
    manifests: Sequence[Manifest]
    broken_configuration: RepositoryInvalid | None = None


def read_earlier(repository: Path, name: str) -> Earlier:
    """Return the earlier versions of a model.

    Raises:
        RepositoryInvalid: the model's folder, its configuration or a manifest is not given, by the
            disk or to this user; servers may have it.
    """
    fault, served = None, list[str]()
    try:
        served = served_versions(repository, name)
    except RepositoryInvalid as error:
        if is_transient(error):
            raise
        fault = error
    published = published_versions(repository, name)
    newest = int(served[-1]) if served else 0
    versions = published if fault else [each for each in published if int(each) <= newest]
    return Earlier(served, versions, _unbroken(repository, name, versions), fault)


def _unbroken(repository: Path, name: str, versions: Sequence[str]) -> list[Manifest]:
    found = []
    for version in versions:
        try:
            found.append(read_manifest(repository, name, version))
        except RepositoryInvalid as error:
            if is_transient(error):
                raise
    return found
