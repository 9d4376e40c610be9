"""Moving a staged version into a repository, so that nobody ever sees half of one.

A version is one folder a graph. Each is copied beside its place under a name that neither Triton
nor the embedded engine takes for a version, then renamed: the `_explain` graph first, so that
whoever sees the model finds its explanations too.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from pawsight_export.errors import PublicationFailed
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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


def publish(staged: Path, repository: Path, name: str, version: str) -> None:
    """Publish a staged version.

    Args:
        staged: a folder in the repository's layout with this one version in it.
        repository: where to publish; made where it does not exist.
        name: the model.
        version: the version's number.

    Raises:
        PublicationFailed: the repository cannot be written, or the version is there already.
    """
    graphs = sorted((folder.name for folder in staged.iterdir()), key=lambda graph: graph == name)
    parts = {graph: repository / graph / f".{version}.part" for graph in graphs}
    try:
        for graph, part in parts.items():
            part.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(staged / graph / version, part)
            _flush(part)
            for file in _model_files(staged / graph):
                _replace(file, repository / graph / file.name)
        for graph, part in parts.items():
            part.rename(repository / graph / version)
            _flush(repository / graph)
    except OSError as error:
        raise PublicationFailed(
            f"Version {version} of {name} could not be published in {repository}: "
            f"{error.strerror or error}."
        ) from error
    finally:
        for part in parts.values():
            shutil.rmtree(part, ignore_errors=True)


def _model_files(folder: Path) -> Iterator[Path]:
    """Yield what all versions share: config.pbtxt and the labels."""
    return (path for path in sorted(folder.iterdir()) if path.is_file())


def _replace(source: Path, target: Path) -> None:
    if target.is_file() and target.read_bytes() == source.read_bytes():
        return
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(source, part)
    part.replace(target)


def _flush(folder: Path) -> None:
    """Wait until the folder's files are on disk: a crash must not leave an empty graph."""
    for path in (*folder.iterdir(), folder):
        if path.is_file() or path == folder:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
