"""Which published versions are served: what the version policy in `config.pbtxt` allows.

The hot graph's configuration decides for both graphs, so replacing that one file is what makes a
publication or a rollback happen.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pawsight_serving.errors import ModelNotFound, RepositoryInvalid, VersionNotFound
from pawsight_serving.repository.directory import (
    model_names,
    nothing_published,
    published_versions,
    read_manifest,
)
from pawsight_serving.repository.regular_files import read_regular_file
from pawsight_serving.repository.triton_config import CONFIG_FILE, read_config
from pawsight_serving.repository.version_policy import allowed

if TYPE_CHECKING:
    from pathlib import Path

    from tritonclient.grpc.model_config_pb2 import ModelConfig

    from pawsight_serving.repository.manifest import Manifest


def read_model(root: Path, name: str, version: str = "") -> Manifest:
    """Return the manifest of the newest version of a model that is served, or of a version by name.

    A version that was rolled back is there still, for those who name it. What is broken of other
    models, or in other versions, says nothing of this one.

    Raises:
        RepositoryInvalid: no such folder, nothing served in it, or the model's configuration or
            this manifest cannot be read.
        ModelNotFound, VersionNotFound: no such model or version.
    """
    there = name in model_names(root)
    versions = (published_versions if version else served_versions)(root, name) if there else []
    if not versions:
        names = _served_names(root)
        raise ModelNotFound(name, names) if names else nothing_published(root)
    if version and version not in versions:
        raise VersionNotFound(name, version, tuple(versions))
    return read_manifest(root, name, version or versions[-1])


def _served_names(root: Path) -> tuple[str, ...]:
    names = []
    for name in model_names(root):
        with contextlib.suppress(RepositoryInvalid):
            names += [name] if served_versions(root, name) else []
    return tuple(names)


def served_versions(root: Path, name: str) -> list[str]:
    """Return a model's served versions in rising order; none where nothing is published.

    Raises:
        RepositoryInvalid: its configuration cannot be read.
    """
    published = published_versions(root, name)
    return allowed(read_graph_config(root, name), published) if published else []


def read_graph_config(root: Path, graph: str) -> ModelConfig:
    """Return a graph's configuration.

    Raises:
        RepositoryInvalid: there is none, or it cannot be read.
    """
    try:
        text = read_regular_file(root / graph / CONFIG_FILE).decode()
    except FileNotFoundError as error:
        raise RepositoryInvalid(
            f"The graph {graph} has no configuration; export the model again."
        ) from error
    except OSError as error:
        raise RepositoryInvalid(
            f"The configuration of {graph} cannot be read ({error.strerror}); mend that, then try "
            "again."
        ) from error
    except UnicodeDecodeError as error:
        raise RepositoryInvalid(
            f"The configuration of {graph} cannot be read; export the model again."
        ) from error
    return read_config(text, graph)
