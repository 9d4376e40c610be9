"""Reading a model repository folder: which versions are published, and are they whole."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pawsight_serving.errors import FolderUnreadable, RepositoryInvalid
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX, Manifest
from pawsight_serving.repository.regular_files import read_regular_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

MANIFEST_FILE = "manifest.json"
_MAX_VERSION = 2**63 - 1
_NOT_UTF8 = re.compile("[\ud800-\udfff]")


def read_manifests(root: Path) -> list[Manifest]:
    """Return the manifests of every published version, newest last within a name.

    A folder that this process may not look into is left out with a warning.

    Raises:
        RepositoryInvalid: no such folder, nothing published in it, or a manifest that cannot be
            read.
    """
    manifests: list[Manifest] = []
    for name in model_names(root):
        try:
            versions = published_versions(root, name)
        except FolderUnreadable as error:
            logger.warning("%s", error)
            continue
        manifests += (read_manifest(root, name, version) for version in versions)
    if not manifests:
        raise nothing_published(root)
    return manifests


def nothing_published(root: Path) -> RepositoryInvalid:
    """Return the error of a repository without a model."""
    return RepositoryInvalid(
        f"The model repository at {root} holds no published model; "
        "put one there with `pawsight export`."
    )


def model_names(root: Path) -> list[str]:
    """Return the models' names, in order; any folder may be one that is to be published.

    Raises:
        RepositoryInvalid: no such folder, or it cannot be read.
    """
    try:
        return [
            model.name
            for model in sorted(root.iterdir())
            if model.is_dir()
            and not model.name.endswith(EXPLAIN_SUFFIX)
            # No text, so none that a manifest can have, or that could be told to anybody.
            and not _NOT_UTF8.search(model.name)
        ]
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RepositoryInvalid(
            f"There is no model repository at {root}; name one with --repository."
        ) from error
    except OSError as error:
        raise RepositoryInvalid(
            f"The model repository at {root} cannot be read; check who may read it."
        ) from error


def published_versions(root: Path, name: str) -> list[str]:
    """Return the versions of a model in rising order, as Triton counts them.

    Raises:
        FolderUnreadable: this process may not look into the model's folder.
        RepositoryInvalid: it, or the folder of a version, cannot be read.
    """
    folders = version_folders(root, name)
    try:
        return [each for each in folders if (root / name / each / MANIFEST_FILE).is_file()]
    except OSError as error:
        raise RepositoryInvalid(
            f"A version of {name} cannot be read; check who may read its folder."
        ) from error


def version_folders(root: Path, graph: str) -> list[str]:
    """Return the versions that have a folder, whatever is in it, in rising order.

    Raises:
        FolderUnreadable: this process may not look into the graph's folder.
        RepositoryInvalid: it cannot be read.
    """
    try:
        folders = (root / graph).iterdir()
        return sorted((f.name for f in folders if is_version(f.name) and f.is_dir()), key=int)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        raise FolderUnreadable(
            f"This process may not look into the folder {graph} of the model repository; where "
            "it is a model's, check who may read it."
        ) from error
    except OSError as error:
        raise RepositoryInvalid(
            f"The folder of {graph} cannot be read ({error.strerror}); try again in a moment."
        ) from error


def is_version(name: str) -> bool:
    """Return whether a folder's name is a version: a number that fits Triton's 64 bits.

    Triton passes over names that start with 0, such as that of a copy made by hand.
    """
    return (
        name.isascii()
        and name.isdecimal()
        and not name.startswith("0")
        and int(name) <= _MAX_VERSION
    )


def read_manifest(root: Path, name: str, version: str) -> Manifest:
    """Return one version's manifest.

    Raises:
        RepositoryInvalid: it cannot be read, or it is not of this model and version.
    """
    path = root / name / version / MANIFEST_FILE
    try:
        manifest = Manifest.model_validate_json(read_regular_file(path))
    except OSError as error:
        raise RepositoryInvalid(
            f"The manifest of {name} version {version} cannot be read ({error.strerror}); mend "
            "that, then try again."
        ) from error
    except ValidationError as error:
        raise RepositoryInvalid(
            f"The manifest of {name} version {version} {_wrong_with(error)}; "
            "export the model again."
        ) from error
    if (manifest.name, manifest.version) != (name, version):
        raise RepositoryInvalid(
            f"The manifest of {name} version {version} is of {manifest.name} version "
            f"{manifest.version}; folders of a repository must not be renamed."
        )
    return manifest


def readable_manifests(root: Path, name: str, versions: Sequence[str]) -> list[Manifest]:
    """Return the manifests that can be read of these versions, in their order.

    It is for the commands that lead away from a broken version, a rollback and an export.
    """
    manifests = []
    for version in versions:
        with contextlib.suppress(RepositoryInvalid):
            manifests.append(read_manifest(root, name, version))
    return manifests


def _wrong_with(error: ValidationError) -> str:
    problem = error.errors()[0]
    if problem["type"] == "value_error":
        return f"contradicts itself: {problem['ctx']['error']}"
    return "cannot be read"


def graph_path(root: Path, manifest: Manifest, graph: str) -> Path:
    """Return where a graph's file lies; `graph` is NAME or NAME_explain."""
    return root / graph / manifest.version / manifest.graphs[graph].file


def read_graph(root: Path, manifest: Manifest, graph: str) -> bytes:
    """Return a graph's bytes, checked against the manifest's digest.

    Raises:
        RepositoryInvalid: the file is missing or is not the one that was published.
    """
    try:
        data = read_regular_file(graph_path(root, manifest, graph))
    except FileNotFoundError as error:
        raise RepositoryInvalid(
            f"The graph {graph} version {manifest.version} is missing; export the model again."
        ) from error
    except OSError as error:
        raise RepositoryInvalid(
            f"The graph {graph} version {manifest.version} cannot be read ({error.strerror}); mend "
            "that, then try again."
        ) from error
    if hashlib.sha256(data).hexdigest() != manifest.graphs[graph].sha256:
        raise RepositoryInvalid(
            f"The graph {graph} version {manifest.version} is not the file that was published: "
            "its digest differs; export the model again."
        )
    return data
