"""A Triton of our own with one model in one setting."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pawsight_serving.repository.triton_config import CONFIG_FILE, read_config, write_config
from pawsight_serving.repository.version_policy import policy_of
from pawsight_serving.triton_server.ports import Ports, claim
from pawsight_serving.triton_server.server import TritonServer
from pawsight_serving.triton_server.view import RepositoryView
from pawsight_serving.tuning.settings import apply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pawsight_serving.triton_server.environment import Environment
    from pawsight_serving.tuning.settings import Setting

_START_TIMEOUT_S: Final = 120.0


@asynccontextmanager
async def serving(
    environment: Environment, repository: Path, name: str, version: str, setting: Setting
) -> AsyncIterator[str]:
    """Run Triton on one version of one model's hot graph; gives its gRPC address.

    Raises:
        RepositoryInvalid: the repository cannot be served.
        EngineUnavailable: Triton does not start with this setting.
    """
    with tempfile.TemporaryDirectory(prefix="pawsight-tune-") as folder:
        view = RepositoryView(repository, Path(folder))
        if error := view.refresh().get(name):
            raise error
        for model in view.models.iterdir():
            if model.name != name:
                shutil.rmtree(model)
        path = view.models / name / CONFIG_FILE
        config = read_config(path.read_text(), name)
        config.version_policy.CopyFrom(policy_of([version]))
        apply(config, setting)
        path.write_text(write_config(config))
        ports = claim(Ports(0, 0, 0))
        async with TritonServer(environment, view.models, Path(folder), ports) as server:
            await server.wait_ready(_START_TIMEOUT_S)
            yield f"127.0.0.1:{ports.grpc}"
