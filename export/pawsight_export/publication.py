"""Moving a staged version into a repository, so that nobody ever sees half of one.

A version is one folder a graph. Each is copied beside its place under a name that neither Triton
nor the embedded engine takes for a version, then renamed: still nobody serves it. Then the
configurations are replaced, whose version policy names what is served: that of the `_explain`
graph first, so that whoever sees the model finds its explanations too. Replacing the hot graph's
configuration is the moment of publication; a crash before it changes nothing that is served.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Final

from pawsight_export.errors import PublicationFailed
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX
from pawsight_serving.repository.removal import remove_others, remove_remains
from pawsight_serving.repository.served import read_graph_config, served_versions
from pawsight_serving.repository.triton_config import CONFIG_FILE, read_config, write_config
from pawsight_serving.repository.version_policy import serve_only
from pawsight_serving.repository.writing import flush_folder, only_writer, replace_file
from pawsight_serving.tuning.settings import carry_over

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEEP: Final = 3
"""Versions of a model that a publication leaves in the repository, the new one included."""


def next_version(repository: Path, name: str) -> str:
    """Return the number after the highest that stands in the repository, published or not."""
    taken = [
        int(folder.name)
        for graph in (name, name + EXPLAIN_SUFFIX)
        if (repository / graph).is_dir()
        for folder in (repository / graph).iterdir()
        if folder.name.isdecimal()
    ]
    return str(max(taken, default=0) + 1)


def publish(
    staged: Path, repository: Path, name: str, version: str, *, keep: int = KEEP
) -> list[str]:
    """Publish a staged version, and remove what is not served any more.

    Args:
        staged: a folder in the repository's layout with this one version in it.
        repository: where to publish; made where it does not exist.
        name: the model.
        version: the version's number.
        keep: how many versions to leave, newest first, the new one included; at least 1. Versions
            that were rolled back are no longer served and go too.

    Returns:
        The versions that are served now, in rising order.

    Raises:
        PublicationFailed: the repository cannot be written, or the version is there already.
        RepositoryInvalid: the model's configuration cannot be read, or another command is
            changing the model.
    """
    graphs = sorted((folder.name for folder in staged.iterdir()), key=lambda graph: graph == name)
    try:
        for graph in graphs:
            (repository / graph).mkdir(parents=True, exist_ok=True)
        with only_writer(repository, name):
            return _Publication(staged, repository, graphs, version).run(keep)
    except OSError as error:
        raise PublicationFailed(
            f"Version {version} of {name} could not be published in {repository}: "
            f"{error.strerror or error}."
        ) from error
    finally:
        # What was made for a model that could not be published.
        for graph in graphs:
            with contextlib.suppress(OSError):
                (repository / graph).rmdir()


class _Publication:
    """The steps of one publication; `graphs` has the hot one last."""

    def __init__(self, staged: Path, repository: Path, graphs: Sequence[str], version: str) -> None:
        self._staged = staged
        self._repository = repository
        self._graphs = graphs
        self._version = version
        self._earlier = served_versions(repository, graphs[-1])

    def run(self, keep: int) -> list[str]:
        earlier = self._earlier
        served = [*earlier[max(0, len(earlier) - keep + 1) :], self._version]
        for graph in self._graphs:
            remove_remains(self._repository / graph)
        try:
            self._copy()
            # Until the hot graph's configuration says otherwise, its earlier versions are served.
            self._serve([*earlier, self._version], served)
        finally:
            for graph in self._graphs:
                shutil.rmtree(self._part(graph), ignore_errors=True)
        for graph in self._graphs[:-1]:
            self._configure(graph, served)
        for graph in reversed(self._graphs):
            remove_others(self._repository / graph, served)
        return served

    def _part(self, graph: str) -> Path:
        return self._repository / graph / f".{self._version}.part"

    def _copy(self) -> None:
        for graph in self._graphs:
            part = self._part(graph)
            shutil.copytree(self._staged / graph / self._version, part)
            # A crash of the machine must not leave an empty graph.
            for path in (*part.rglob("*"), part):
                if path.is_dir():
                    flush_folder(path)
                else:
                    with path.open("rb") as copied:
                        os.fsync(copied.fileno())
            for file in sorted((self._staged / graph).iterdir()):
                if file.is_file() and file.name != CONFIG_FILE:
                    replace_file(self._repository / graph / file.name, file.read_bytes())

    def _serve(self, explained: Sequence[str], served: Sequence[str]) -> None:
        moved: list[Path] = []
        versions = dict.fromkeys(self._graphs[:-1], explained) | {self._graphs[-1]: served}
        try:
            for graph in self._graphs:
                if not self._earlier:
                    # A folder of versions without a configuration would look broken.
                    self._configure(graph, versions[graph])
                target = self._repository / graph / self._version
                self._part(graph).rename(target)
                moved.append(target)
                flush_folder(target.parent)
            if self._earlier:
                for graph in self._graphs:
                    self._configure(graph, versions[graph])
        except OSError:
            for folder in moved:
                shutil.rmtree(folder, ignore_errors=True)
            raise

    def _configure(self, graph: str, versions: Sequence[str]) -> None:
        config = read_config((self._staged / graph / CONFIG_FILE).read_text(), graph)
        if self._earlier:
            carry_over(read_graph_config(self._repository, graph), config)
        serve_only(config, versions, versions)
        replace_file(self._repository / graph / CONFIG_FILE, write_config(config).encode())
