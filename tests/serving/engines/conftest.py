"""A repository, and one real Triton on it for all tests that change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.serving.tiny_repository import publish_tiny
from tests.serving.triton_process import RunningTriton, running_triton

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pawsight_serving.triton_server.environment import Environment


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tiny in versions 1 and 2, other in version 1."""
    root = tmp_path_factory.mktemp("repository")
    publish_tiny(root, version="1")
    publish_tiny(root, version="2", bias=5.0)
    publish_tiny(root, name="other")
    return root


@pytest.fixture(scope="session")
def triton(repository: Path, triton_environment: Environment) -> Iterator[RunningTriton]:
    with running_triton(repository) as running:
        yield running
