"""Which published versions are served: what the version policy in `config.pbtxt` allows.

The hot graph's configuration decides for both graphs, so replacing that one file is what makes a
publication or a rollback happen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository.directory import published_versions, read_manifests
from pawsight_serving.repository.regular_files import read_regular_file
from pawsight_serving.repository.triton_config import CONFIG_FILE, read_config
from pawsight_serving.repository.version_policy import allowed

if TYPE_CHECKING:
    from pathlib import Path

    from tritonclient.grpc.model_config_pb2 import ModelConfig

    from pawsight_serving.repository.manifest import Manifest


def read_served(root: Path) -> list[Manifest]:
    """Return the manifests of every served version, newest last within a name.

    Raises:
        RepositoryInvalid: no such folder, nothing served in it, or a manifest or a configuration
            that cannot be read.
    """
    return read_manifests(root, served_versions)


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
    except OSError as error:
        raise RepositoryInvalid(
            f"The graph {graph} has no configuration; export the model again."
        ) from error
    except UnicodeDecodeError as error:
        raise RepositoryInvalid(
            f"The configuration of {graph} cannot be read; export the model again."
        ) from error
    return read_config(text, graph)
