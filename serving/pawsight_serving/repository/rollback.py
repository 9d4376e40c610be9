"""Serving an earlier version again: the configurations change, and no version moves."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pawsight_serving.errors import ModelNotFound, RepositoryInvalid, VersionNotFound
from pawsight_serving.repository.directory import (
    model_names,
    published_versions,
    read_manifest,
    readable_manifests,
)
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX
from pawsight_serving.repository.served import read_graph_config, served_versions
from pawsight_serving.repository.shared_configuration import adapt, served_beside
from pawsight_serving.repository.triton_config import (
    CONFIG_FILE,
    LABELS_FILE,
    labels_text,
    write_config,
)
from pawsight_serving.repository.version_policy import serve_only
from pawsight_serving.repository.writing import (
    exclusive_writer,
    replace_file,
    restored_on_failure,
    signals_deferred,
)
from pawsight_serving.settings import DEFAULT_REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pawsight_serving.repository.manifest import Manifest


def roll_back(root: Path, name: str, to: str | None = None) -> tuple[str, str]:
    """Make an earlier version the newest that is served, of both graphs at once.

    The versions above it stay in the repository until the next publication, so a rollback is
    undone by another one, to a version above. Where the version served until now needs another
    configuration, such as one of another input size, the configurations are made this one's again.

    Args:
        root: the model repository.
        name: the model.
        to: the version to serve as the newest; the one before the newest where it is None.

    Returns:
        The newest served version before and after; the former is empty where none was served.

    Raises:
        ModelNotFound, VersionNotFound: there is no such model or version.
        RepositoryInvalid: none is served, no earlier version is there, the repository cannot be
            read or written, or another command is changing the model.
    """
    published = published_versions(root, name)
    if not published:
        raise ModelNotFound(name, tuple(model_names(root)))
    try:
        with exclusive_writer(root, name):
            return _roll_back(root, name, to)
    except OSError as error:
        raise RepositoryInvalid(
            f"{name} in {root} could not be rolled back: {error.strerror or error}; mend that, "
            "then try again."
        ) from error


def rollback_command(root: Path, name: str, to: str) -> str:
    """Return the command line that makes a version the newest that is served."""
    words = ["pawsight", "repository", "rollback", name, "--to", to]
    return shlex.join(words if root == DEFAULT_REPOSITORY else [*words, "--repository", str(root)])


def _roll_back(root: Path, name: str, to: str | None) -> tuple[str, str]:
    published = published_versions(root, name)
    served = served_versions(root, name)
    newest = served[-1] if served else ""
    if to is None:
        if not newest:
            raise RepositoryInvalid(
                f"No version of {name} is served, so none is before it; choose one with --to: "
                f"{', '.join(published)}."
            )
        earlier = [version for version in published if int(version) < int(newest)]
        if not earlier:
            raise RepositoryInvalid(
                f"{name} has no version before {newest} to go back to; "
                "`pawsight repository list` shows what is there."
            )
        to = earlier[-1]
    if to not in published:
        raise VersionNotFound(name, to, tuple(published))
    explain = name + EXPLAIN_SUFFIX
    target = read_manifest(root, name, to)
    until_now = readable_manifests(root, name, served)
    wanted = served_beside(
        readable_manifests(root, name, [each for each in published if int(each) <= int(to)]),
        target,
    )
    union = _in_order([*served_beside(until_now, target), *wanted])
    fits = any(each.version == newest for each in served_beside(until_now, target))
    # Who serves a version finds its explanations: the hot graph gains versions last, and loses
    # them first. Its file is the moment of the change, for both.
    steps = ((explain, union), (name, wanted), (explain, wanted))
    files = [
        root / graph / file for graph in (name, explain) for file in (CONFIG_FILE, LABELS_FILE)
    ]
    with signals_deferred(), restored_on_failure(files):
        for graph, versions in steps:
            config = read_graph_config(root, graph)
            serve_only(config, [each.version for each in versions], published)
            if not fits:
                adapt(config, versions)
                replace_file(root / graph / LABELS_FILE, labels_text(target.classes).encode())
            replace_file(root / graph / CONFIG_FILE, write_config(config).encode())
    return newest, to


def _in_order(versions: Sequence[Manifest]) -> list[Manifest]:
    """Return each version once, in rising order."""
    found = {int(each.version): each for each in versions}
    return [found[number] for number in sorted(found)]
