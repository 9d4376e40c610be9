"""Serving an earlier version again: the version policy changes, and no version moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pawsight_serving.errors import ModelNotFound, RepositoryInvalid, VersionNotFound
from pawsight_serving.repository.directory import model_names, published_versions
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX
from pawsight_serving.repository.served import read_graph_config, served_versions
from pawsight_serving.repository.triton_config import CONFIG_FILE, write_config
from pawsight_serving.repository.version_policy import serve_only
from pawsight_serving.repository.writing import only_writer, replace_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def roll_back(root: Path, name: str, to: str | None = None) -> tuple[str, str]:
    """Make an earlier version the newest that is served, of both graphs at once.

    The versions above it stay in the repository until the next publication, so a rollback is
    undone by another one, to a version above.

    Args:
        root: the model repository.
        name: the model.
        to: the version to serve as the newest; the one before the newest where it is None.

    Returns:
        The newest served version before and after.

    Raises:
        ModelNotFound, VersionNotFound: there is no such model or version.
        RepositoryInvalid: no earlier version is there, the repository cannot be read or written,
            or another command is changing the model.
    """
    published = published_versions(root, name)
    if not published:
        raise ModelNotFound(name, tuple(model_names(root)))
    try:
        with only_writer(root, name):
            return _roll_back(root, name, to)
    except OSError as error:
        raise RepositoryInvalid(
            f"{name} in {root} could not be rolled back: {error.strerror or error}."
        ) from error


def _roll_back(root: Path, name: str, to: str | None) -> tuple[str, str]:
    published = published_versions(root, name)
    served = served_versions(root, name)
    newest = served[-1] if served else ""
    if to is None:
        earlier = [version for version in published if int(version) < int(newest or 0)]
        if not earlier:
            raise RepositoryInvalid(
                f"{name} has no version before {newest} to go back to; "
                "`pawsight repository list` shows what is there."
            )
        to = earlier[-1]
    if to not in published:
        raise VersionNotFound(name, to, tuple(published))
    explain = name + EXPLAIN_SUFFIX
    # Who serves a version finds its explanations: the hot graph gains versions last, and loses
    # them first. Its file is the moment of the change, for both.
    wanted = [version for version in published if int(version) <= int(to)]
    union = sorted({*served, *wanted}, key=int)
    for graph, versions in ((explain, union), (name, wanted), (explain, wanted)):
        _serve(root, graph, versions, published)
    return newest, to


def _serve(root: Path, graph: str, versions: Sequence[str], published: Sequence[str]) -> None:
    config = read_graph_config(root, graph)
    serve_only(config, versions, published)
    replace_file(root / graph / CONFIG_FILE, write_config(config).encode())
