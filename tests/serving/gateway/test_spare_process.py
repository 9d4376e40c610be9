"""A child process that waits with its libraries loaded, to take over from one that ends."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pawsight_serving.addresses import Address
from pawsight_serving.gateway.child_process import ChildProcess
from pawsight_serving.gateway.explainer_client import ExplainerClient
from pawsight_serving.gateway.launched_process import LaunchedProcess
from pawsight_serving.settings import ExplainerSettings
from tests.serving.gateway.sidecars import DEAF, ended, explain, running
from tests.serving.tiny_repository import publish_tiny
from tests.serving.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path) -> ExplainerSettings:
    publish_tiny(tmp_path)
    return ExplainerSettings(repository=tmp_path, grpc=Address("127.0.0.1", 0))


@pytest.fixture
async def client() -> AsyncIterator[ExplainerClient]:
    client = ExplainerClient()
    yield client
    await client.disconnect()


@pytest.fixture
def spares(monkeypatch: pytest.MonkeyPatch) -> list[LaunchedProcess]:
    """Have spares launched at once, and return what is launched, in order."""
    module = "pawsight_serving.gateway.child_process"
    monkeypatch.setattr(f"{module}._LOOK_S", 0.01)
    monkeypatch.setattr(f"{module}._SPARE_AFTER_S", 0.0)
    monkeypatch.setattr(f"{module}._NEXT_SPARE_AFTER_S", 0.0)
    launched: list[LaunchedProcess] = []

    class Noted(LaunchedProcess):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            launched.append(self)

    monkeypatch.setattr(f"{module}.LaunchedProcess", Noted)
    return launched


async def test_a_spare_takes_over_and_is_replaced_in_its_turn(
    settings: ExplainerSettings, client: ExplainerClient, spares: list[LaunchedProcess]
) -> None:
    sidecar = ChildProcess(settings, keeps_spare=True)
    async with running(sidecar, client):
        await until(lambda: len(spares) == 2)
        os.kill(spares[0].pid, signal.SIGKILL)
        await until(lambda: sidecar.pid == spares[1].pid)
        assert await sidecar.wait_reachable(30)
        assert (await explain(client)).model == "tiny"
        await until(lambda: len(spares) == 3)
    for each in spares:
        await ended(each.pid)


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_spare_that_dies_or_is_stopped_is_replaced(
    settings: ExplainerSettings,
    client: ExplainerClient,
    spares: list[LaunchedProcess],
    fault: signal.Signals,
) -> None:
    sidecar = ChildProcess(settings, keeps_spare=True)
    async with running(sidecar, client):
        await until(lambda: len(spares) == 2)
        os.kill(spares[1].pid, fault)
        await ended(spares[1].pid)
        await until(lambda: len(spares) == 3)
        assert sidecar.pid == spares[0].pid


async def test_a_spare_never_takes_over_from_one_that_froze(
    settings: ExplainerSettings, spares: list[LaunchedProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pawsight_serving.gateway.child_process._FROZEN_AFTER_S", 5.0)

    class Silent(ExplainerClient):
        silent_s = 0.0

        async def connect(self, address: Address) -> None:
            self.silent_s = 0.0

        def since_last_answer_s(self) -> float:
            return self.silent_s

    client = Silent()
    command = (sys.executable, "-c", DEAF)
    sidecar = ChildProcess(settings, command, keeps_spare=True)
    async with running(sidecar, client, grace_s=0):
        await until(lambda: len(spares) == 2)
        # Whatever stops all processes of that name; the next spare is there before it is noticed.
        os.kill(spares[1].pid, signal.SIGSTOP)
        client.silent_s = 60.0
        await until(lambda: len(spares) == 3)
        for each in spares[:3]:
            await ended(each.pid)
        await until(lambda: len(spares) > 3)
        assert await sidecar.wait_reachable(30)
        assert sidecar.pid == spares[3].pid


async def test_a_machine_without_room_for_a_spare_does_without(
    settings: ExplainerSettings,
    client: ExplainerClient,
    spares: list[LaunchedProcess],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = []

    class NoRoom(LaunchedProcess):
        def __init__(self, *arguments: Any) -> None:
            tried.append(arguments)
            if len(tried) > 1:
                raise OSError("Cannot allocate memory")
            super().__init__(*arguments)

    monkeypatch.setattr("pawsight_serving.gateway.child_process.LaunchedProcess", NoRoom)
    sidecar = ChildProcess(settings, keeps_spare=True)
    async with running(sidecar, client):
        await until(lambda: len(tried) > 3)
        assert (await explain(client)).model == "tiny"
    assert not spares
