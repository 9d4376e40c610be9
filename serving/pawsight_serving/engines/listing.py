"""What a repository asks to be served, and whether that changed since one last looked."""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING

from pawsight_serving.errors import FolderUnreadable, RepositoryInvalid
from pawsight_serving.repository.directory import model_names, nothing_published, read_manifest
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX, Manifest
from pawsight_serving.repository.served import served_versions

if TYPE_CHECKING:
    from pathlib import Path

State = tuple[tuple[str, int, int, int], ...]
"""Of each file: path, inode, size and time of change."""


def list_served(root: Path) -> dict[str, list[Manifest | RepositoryInvalid]]:
    """Return each model's served versions, newest last: the manifest, or what is wrong with it.

    A model whose configuration cannot be read has that in the place of its versions.

    Raises:
        RepositoryInvalid: there is no such folder.
    """
    return {name: _served(root, name) for name in model_names(root)}


def check_servable(root: Path, *, without_broken: bool = False) -> None:
    """Find out what no start can do with, without reading a graph.

    Args:
        root: the repository.
        without_broken: whether the other models do where one is broken.

    Raises:
        RepositoryInvalid: there is no such folder, nothing is served in it, or no version of a
            model has a manifest that can be read.
    """
    listed = list_served(root)
    whole = any(isinstance(each, Manifest) for found in listed.values() for each in found)
    for found in listed.values() if not (whole and without_broken) else ():
        broken = [each for each in found if isinstance(each, RepositoryInvalid)]
        # A folder that may not be looked into is most likely none of a model.
        if broken and len(broken) == len(found) and not isinstance(broken[-1], FolderUnreadable):
            raise broken[-1]
    if not whole:
        raise nothing_published(root)


def _served(root: Path, name: str) -> list[Manifest | RepositoryInvalid]:
    try:
        return [_manifest(root, name, version) for version in served_versions(root, name)]
    except RepositoryInvalid as error:
        return [error]


def _manifest(root: Path, name: str, version: str) -> Manifest | RepositoryInvalid:
    try:
        return read_manifest(root, name, version)
    except RepositoryInvalid as error:
        return error


def state_of(root: Path) -> State:
    """Return what tells one state of a repository from another, without reading a file."""
    return _state(root, "*/config.pbtxt", "*/[0-9]*/*")


def state_of_version(root: Path, name: str, version: str) -> State:
    """Return what tells whether the files of one version changed."""
    model = glob.escape(name)
    return _state(root, f"{model}/{version}/*", f"{model}{EXPLAIN_SUFFIX}/{version}/*")


def _state(root: Path, *patterns: str) -> State:
    found = []
    for pattern in patterns:
        # Unlike `Path.glob` it passes over a folder that is removed meanwhile.
        for path in glob.glob(pattern, root_dir=root):  # noqa: PTH207 - see above
            try:
                status = (root / path).stat()
            except OSError:
                # Removed since it was listed.
                continue
            found.append((path, status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(sorted(found))
