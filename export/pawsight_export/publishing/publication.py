"""Moving a staged version into a repository, so that nobody ever sees half of one.

A version is one folder a graph. Each is copied beside its place under a name that neither Triton
nor the embedded engine takes for a version, then renamed: still nobody serves it. Then the
configurations are replaced, whose version policy names what is served: that of the `_explain`
graph first, so that whoever sees the model finds its explanations too. Replacing the hot graph's
configuration is the moment of publication; a crash before it changes nothing that is served.

One configuration is for all versions that are served. Where the new version needs another one, such
as of another input size, the earlier versions are no longer served beside it, and Triton has no
explanations of them from the first configuration to the second.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from typing import TYPE_CHECKING, Final

from pawsight_export.errors import PublicationFailed
from pawsight_export.publishing.earlier import read_earlier
from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository.directory import is_version, read_manifest
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX
from pawsight_serving.repository.removal import remove_others, remove_remains
from pawsight_serving.repository.shared_configuration import served_beside
from pawsight_serving.repository.triton_config import (
    CONFIG_FILE,
    LABELS_FILE,
    labels_text,
    model_config,
    write_config,
)
from pawsight_serving.repository.writing import (
    exclusive_writer,
    flush_folder,
    replace_file,
    restored_on_failure,
    signals_deferred,
)
from pawsight_serving.tuning.settings import carry_over

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pawsight_serving.repository.manifest import Manifest

logger = logging.getLogger(__name__)

KEEP: Final = 3
"""Versions of a model that a publication leaves in the repository, the new one included."""

_MADE_ANEW: Final = "a configuration is made anew: %s"


def next_version(repository: Path, name: str) -> str:
    """Return the number after the highest that stands in the repository, published or not."""
    taken = [0]
    for graph in (name, name + EXPLAIN_SUFFIX):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            found = (repository / graph).iterdir()
            taken += [int(each.name) for each in found if is_version(each.name)]
    return str(max(taken) + 1)


def publish(
    staged: Path, repository: Path, name: str, version: str, *, keep: int = KEEP
) -> list[str]:
    """Publish a staged version, and remove what is no longer kept.

    Earlier versions that cannot share a configuration with it, such as those of another input
    size, are no longer served; they stay for a rollback. So do those whose manifests are broken. A
    configuration that is broken or lost is made anew, and serves all that it can.

    Args:
        staged: a folder in the repository's layout with this one version in it.
        repository: where to publish; made where it does not exist.
        name: the model.
        version: the version's number.
        keep: how many versions to leave, newest first, the new one included; at least 1. Versions
            that were rolled back go too.

    Returns:
        The versions that are served now, in rising order.

    Raises:
        PublicationFailed: the repository cannot be written, or another command has published this
            version or a higher one meanwhile.
        RepositoryInvalid: the model's folder, its configuration or a manifest is not given, by the
            disk or to this user; or another command is changing the model.
    """
    failed = f"Version {version} of {name} could not be published in {repository}"
    try:
        # The first folder alone before the lock, which is on it: all else is the writer's.
        (repository / name).mkdir(parents=True, exist_ok=True)
        with exclusive_writer(repository, name), _cleared_away(repository, name):
            if int(version) < int(next_version(repository, name)):
                raise PublicationFailed(
                    f"{failed}: it, or a higher one, is there already, of another command; export "
                    "again."
                )
            return _Publication(staged, repository, read_manifest(staged, name, version)).run(keep)
    except OSError as error:
        raise PublicationFailed(
            f"{failed}: {error.strerror or error}; mend that, or choose another --repository, then "
            "export again."
        ) from error


@contextlib.contextmanager
def _cleared_away(repository: Path, name: str) -> Iterator[None]:
    """Make the folder of the `_explain` graph; remove both where no version came into them."""
    graphs = [name + EXPLAIN_SUFFIX, name]
    try:
        (repository / graphs[0]).mkdir(exist_ok=True)
        yield
    finally:
        for graph in graphs:
            with contextlib.suppress(OSError):
                (repository / graph).rmdir()


class _Publication:
    """The steps of one publication."""

    def __init__(self, staged: Path, repository: Path, manifest: Manifest) -> None:
        self._staged = staged
        self._repository = repository
        self._manifest = manifest
        # The hot one last.
        self._graphs = (manifest.explain_name, manifest.name)
        self._earlier = read_earlier(repository, manifest.name)
        for fault in self._earlier.broken_configurations:
            logger.warning(_MADE_ANEW, fault)

    def run(self, keep: int) -> list[str]:
        for graph in self._graphs:
            remove_remains(self._repository / graph)
        earlier = self._earlier.versions
        kept = [*earlier[max(0, len(earlier) - keep + 1) :], self._manifest.version]
        beside = served_beside([*self._earlier.manifests, self._manifest], self._manifest)
        served = [each for each in beside if each.version in kept]
        # Until the hot graph's configuration says otherwise, its earlier versions are served.
        explained = [
            each for each in beside if each in served or each.version in self._earlier.served
        ]
        try:
            self._copy()
            with signals_deferred():
                self._serve(explained, served)
                self._tidy(kept, served)
        finally:
            for graph in self._graphs:
                shutil.rmtree(self._part(graph), ignore_errors=True)
        return [each.version for each in served]

    def _part(self, graph: str) -> Path:
        return self._repository / graph / f".{self._manifest.version}.part"

    def _copy(self) -> None:
        for graph in self._graphs:
            staged, part = self._staged / graph / self._manifest.version, self._part(graph)
            part.mkdir()
            # `shutil.copytree` would gather what fails, in a list that says it in no one's words.
            for source in sorted(staged.rglob("*")):
                target = part / source.relative_to(staged)
                if source.is_dir():
                    target.mkdir()
                else:
                    shutil.copyfile(source, target)
            # A crash of the machine must not leave an empty graph.
            for path in (*part.rglob("*"), part):
                if path.is_dir():
                    flush_folder(path)
                else:
                    with path.open("rb") as copied:
                        os.fsync(copied.fileno())

    def _serve(self, explained: Sequence[Manifest], served: Sequence[Manifest]) -> None:
        moved: list[Path] = []
        versions = dict(zip(self._graphs, (explained, served), strict=True))
        files = [
            self._repository / graph / file
            for graph in self._graphs
            for file in (CONFIG_FILE, LABELS_FILE)
        ]
        try:
            with restored_on_failure(files):
                for graph in self._graphs:
                    if not self._earlier.served:
                        # A folder of versions without a configuration would look broken.
                        self._configure(graph, versions[graph])
                    target = self._repository / graph / self._manifest.version
                    self._part(graph).rename(target)
                    moved.append(target)
                    flush_folder(target.parent)
                if self._earlier.served:
                    for graph in self._graphs:
                        self._configure(graph, versions[graph])
        except BaseException:
            # After the configurations, so that none names what is gone.
            for folder in moved:
                shutil.rmtree(folder, ignore_errors=True)
            raise

    def _configure(self, graph: str, versions: Sequence[Manifest]) -> None:
        config = model_config(versions, graph)
        if earlier := self._earlier.configurations.get(graph):
            try:
                carry_over(earlier, config)
            except RepositoryInvalid as fault:
                logger.warning(_MADE_ANEW, fault)
        labels = labels_text(self._manifest.classes)
        replace_file(self._repository / graph / LABELS_FILE, labels.encode())
        replace_file(self._repository / graph / CONFIG_FILE, write_config(config).encode())

    def _tidy(self, kept: Sequence[str], served: Sequence[Manifest]) -> None:
        """Remove what is no longer kept; the version is served already, whatever happens here."""
        try:
            self._configure(self._manifest.explain_name, served)
            for graph in reversed(self._graphs):
                remove_others(self._repository / graph, kept)
        except OSError as error:
            logger.warning(
                "version %s of %s is published; what it replaces could not be removed, and the "
                "next export tries again: %s",
                self._manifest.version,
                self._manifest.name,
                error.strerror or error,
            )
