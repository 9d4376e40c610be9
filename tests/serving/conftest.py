"""What several tests of serving need and is dear to make."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.triton_server.environment import Environment, environments_cache, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def triton_environment() -> Environment:
    """Triton, as `pawsight triton` installs it; made on the first run on a machine."""
    try:
        return prepare(print, environments_cache(), timeout_s=240)
    except EngineUnavailable as error:
        pytest.skip(f"no Triton on this machine: {error}")


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Take back what a command that runs in this process does to the log of all others."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
