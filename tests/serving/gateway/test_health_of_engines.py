"""Health tells the truth with the real engines: red within 5 seconds, and green again by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from pawsight_serving.addresses import Address
from pawsight_serving.engines.embedded import EmbeddedEngine
from pawsight_serving.engines.triton import TritonEngine
from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.gateway.main import engine_of
from pawsight_serving.triton_server.ports import Ports, claim
from tests.serving.gateway.test_main import make_settings, running
from tests.serving.tiny_repository import publish_tiny
from tests.serving.triton_process import running_triton

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.triton_server.environment import Environment

RED_WITHIN_S = 5.0
GREEN_WITHIN_S = 15.0
# The settings that a server has by itself, not the quick ones of the tests.
DEFAULTS = {"probe_interval_s": 1.0, "probe_timeout_s": 2.0}


async def turns(http: httpx.AsyncClient, status: int, within_s: float) -> None:
    started_s = time.monotonic()
    while (await http.get("/readyz")).status_code != status:
        assert time.monotonic() - started_s < within_s
        await asyncio.sleep(0.05)
    assert (await http.get("/healthz")).status_code == 200


@pytest.mark.triton
async def test_a_triton_that_dies_and_comes_back(
    tmp_path: Path, triton_environment: Environment
) -> None:
    publish_tiny(tmp_path)
    with running_triton(tmp_path) as triton:
        ports = [address.rpartition(":")[2] for address in (triton.http, triton.grpc)]
        async with (
            running(make_settings(**DEFAULTS), TritonEngine(triton.grpc, graphs="hot")) as gateway,
            httpx.AsyncClient(base_url=f"http://{gateway.http}") as http,
        ):
            await turns(http, 200, 5)
            await asyncio.to_thread(triton.kill)
            await turns(http, 503, RED_WITHIN_S)
            with running_triton(tmp_path, *ports):
                await turns(http, 200, GREEN_WITHIN_S)


@pytest.mark.triton
async def test_a_triton_that_comes_after_the_gateway(
    tmp_path: Path, triton_environment: Environment
) -> None:
    publish_tiny(tmp_path)
    ports = claim(Ports(0, 0, 0))
    settings = make_settings(**DEFAULTS, triton=Address("127.0.0.1", ports.grpc))
    async with (
        running(settings, engine_of(settings)) as gateway,
        httpx.AsyncClient(base_url=f"http://{gateway.http}") as http,
    ):
        await turns(http, 503, 1)
        with running_triton(tmp_path, str(ports.http), str(ports.grpc)):
            await turns(http, 200, GREEN_WITHIN_S)


@pytest.mark.triton
async def test_a_triton_whose_model_died_while_triton_says_ready(
    tmp_path: Path, triton_environment: Environment
) -> None:
    """A killed stub is never started again, and Triton's own model-ready stays true."""
    publish_tiny(tmp_path)
    with running_triton(tmp_path) as triton:
        async with (
            running(make_settings(**DEFAULTS), TritonEngine(triton.grpc, graphs="hot")) as gateway,
            httpx.AsyncClient(base_url=f"http://{gateway.http}") as http,
        ):
            await turns(http, 200, 5)
            for stub in descendants(triton.server_pid):
                os.kill(stub, signal.SIGKILL)
            await turns(http, 503, RED_WITHIN_S)


def descendants(pid: int) -> list[int]:
    found = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return found + [deeper for child in found for deeper in descendants(child)]


class Breakable(EmbeddedEngine):
    """The embedded engine, which can be made to fail or to hang as a broken device does."""

    broken = False
    hangs = False

    async def infer(self, *asked: object) -> Mapping[str, NDArray[np.float32]]:
        if self.broken:
            raise EngineUnavailable("The engine could not run the model; try again in a moment.")
        if self.hangs:
            await asyncio.Event().wait()
        return await super().infer(*asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("fault", ["broken", "hangs"])
async def test_an_embedded_engine_that_fails_and_recovers(tmp_path: Path, fault: str) -> None:
    publish_tiny(tmp_path)
    engine = Breakable(tmp_path, graphs="hot")
    async with (
        running(make_settings(**DEFAULTS), engine) as gateway,
        httpx.AsyncClient(base_url=f"http://{gateway.http}") as http,
    ):
        await turns(http, 200, 5)
        setattr(engine, fault, True)
        await turns(http, 503, RED_WITHIN_S)
        setattr(engine, fault, False)
        await turns(http, 200, GREEN_WITHIN_S)
