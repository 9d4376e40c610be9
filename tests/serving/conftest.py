"""What several tests of serving need and is dear to make."""

from __future__ import annotations

import pytest

from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.triton_server.environment import Environment, default_cache, prepare


@pytest.fixture(scope="session")
def triton_environment() -> Environment:
    """Triton, as `pawsight triton` installs it; made on the first run on a machine."""
    try:
        return prepare(print, default_cache(), timeout_s=240)
    except EngineUnavailable as error:
        pytest.skip(f"no Triton on this machine: {error}")
