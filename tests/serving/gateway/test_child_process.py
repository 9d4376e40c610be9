from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.addresses import Address
from pawsight_serving.errors import EngineUnavailable, ExplainerUnavailable
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


HANGING = """
import time
time.sleep(60)
"""
CONFUSED = """
import time
print("library 1.0 loaded", flush=True)
time.sleep(60)
"""
SHUT = """
import json, os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(json.dumps({"address": "127.0.0.1:1"}), flush=True)
os.close(1)
time.sleep(60)
"""


@pytest.fixture
def settings(tmp_path: Path) -> ExplainerSettings:
    publish_tiny(tmp_path)
    return ExplainerSettings(repository=tmp_path, grpc=Address("127.0.0.1", 0))


@pytest.fixture
async def client() -> AsyncIterator[ExplainerClient]:
    client = ExplainerClient()
    yield client
    await client.disconnect()


async def test_a_killed_process_is_back_within_five_seconds(
    settings: ExplainerSettings, client: ExplainerClient
) -> None:
    sidecar = ChildProcess(settings)
    async with running(sidecar, client) as first:
        assert (await explain(client)).model == "tiny"
        os.kill(first, signal.SIGKILL)
        failed = False
        async with asyncio.timeout(5):
            while sidecar.pid == first or not await sidecar.wait_reachable(5):
                with pytest.raises(ExplainerUnavailable):
                    await explain(client)
                failed = True
                await asyncio.sleep(0.02)
        assert failed
        assert (await explain(client)).model == "tiny"


async def test_one_that_is_started_again_goes_on_without_a_broken_model(
    settings: ExplainerSettings, client: ExplainerClient, tmp_path: Path
) -> None:
    publish_tiny(tmp_path, name="other")
    graph = tmp_path / "tiny_explain" / "1" / "model.onnx"
    whole = graph.read_bytes()
    sidecar = ChildProcess(settings.model_copy(update={"repository_poll_s": 0.05}))
    async with running(sidecar, client) as first:
        assert (await explain(client, "tiny")).model == "tiny"
        graph.write_bytes(b"broken")
        os.kill(first, signal.SIGKILL)
        await until(lambda: sidecar.pid != first)
        assert await sidecar.wait_reachable(30)
        assert (await explain(client, "other")).model == "other"
        with pytest.raises(EngineUnavailable, match="'tiny' is broken"):
            await explain(client, "tiny")
        assert (await client.ready("other"), await client.ready("tiny")) == (True, False)
        graph.write_bytes(whole)
        async with asyncio.timeout(20):
            while not await client.ready("tiny"):  # noqa: ASYNC110 - another process's
                await asyncio.sleep(0.05)
        assert (await explain(client, "tiny")).model == "tiny"


async def test_one_that_was_launched_is_the_one_that_is_kept_running(
    settings: ExplainerSettings, client: ExplainerClient
) -> None:
    launched = LaunchedProcess()
    sidecar = ChildProcess(settings, launched=launched)
    async with running(sidecar, client):
        assert sidecar.pid == launched.pid
        os.kill(launched.pid, signal.SIGKILL)
        await until(lambda: sidecar.pid != launched.pid)
        assert await sidecar.wait_reachable(30)


async def test_one_that_was_launched_and_died_is_replaced(
    settings: ExplainerSettings, client: ExplainerClient
) -> None:
    launched = LaunchedProcess()
    os.kill(launched.pid, signal.SIGKILL)
    await until(lambda: not launched.running)
    sidecar = ChildProcess(settings, launched=launched)
    async with running(sidecar, client):
        assert sidecar.pid != launched.pid


async def test_one_that_is_not_needed_is_killed(settings: ExplainerSettings) -> None:
    launched = LaunchedProcess()
    await ChildProcess(settings, launched=launched).stop(10)
    await ended(launched.pid)


async def test_it_ends_with_its_parent_and_leaves_nothing(
    settings: ExplainerSettings, client: ExplainerClient
) -> None:
    sidecar = ChildProcess(settings)
    sidecar.start(client)
    assert await sidecar.wait_reachable(30)
    pid = sidecar.pid
    assert pid is not None
    await sidecar.stop(10)
    await ended(pid)
    with pytest.raises(ExplainerUnavailable):
        await explain(client)


async def test_it_ends_when_its_parent_is_killed(settings: ExplainerSettings) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        """
import asyncio, sys
from pawsight_serving.gateway.explainer_client import ExplainerClient
from pawsight_serving.explanations.queries import Query
from pawsight_serving.gateway.child_process import ChildProcess
from pawsight_serving.settings import ExplainerSettings
async def main():
    sidecar = ChildProcess(ExplainerSettings.model_validate_json(sys.argv[1]))
    sidecar.start(ExplainerClient())
    await sidecar.wait_reachable(30)
    print(sidecar.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
""",
        settings.model_dump_json(),
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    pid = int(await asyncio.wait_for(parent.stdout.readline(), 30))
    parent.kill()
    await parent.wait()
    await ended(pid)


async def test_one_that_does_not_listen_is_killed_after_the_grace(
    settings: ExplainerSettings, client: ExplainerClient
) -> None:
    sidecar = ChildProcess(settings, (sys.executable, "-c", DEAF))
    sidecar.start(client)
    assert await sidecar.wait_reachable(30)
    pid = sidecar.pid
    assert pid is not None
    await asyncio.wait_for(sidecar.stop(0.1), 10)
    await ended(pid)


@pytest.mark.parametrize("command", [(sys.executable, "-c", ""), ("/nonexistent",)])
async def test_one_that_cannot_start_is_tried_again_until_it_is_stopped(
    settings: ExplainerSettings,
    client: ExplainerClient,
    command: tuple[str, ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    sidecar = ChildProcess(settings, command)
    sidecar.start(client)
    assert not await sidecar.wait_reachable(0.5)
    assert "starting it again" in caplog.text
    with pytest.raises(ExplainerUnavailable):
        await explain(client)
    await asyncio.wait_for(sidecar.stop(1), 5)


async def is_ended_and_started_again(
    sidecar: ChildProcess, client: ExplainerClient, pids: asyncio.Queue[int]
) -> None:
    """Start it, and see its first process end and a second one too; `pids` has those ended."""
    sidecar.start(client)
    try:
        first = await asyncio.wait_for(pids.get(), 30)
        await ended(first)
        assert await asyncio.wait_for(pids.get(), 30) != first
    finally:
        await sidecar.stop(0)


@pytest.mark.parametrize("words", [CONFUSED, SHUT])
async def test_one_that_says_or_does_the_unexpected_is_ended_and_started_again(
    settings: ExplainerSettings,
    client: ExplainerClient,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pawsight_serving.gateway.child_process._ENDING_S", 0.1)
    pids: asyncio.Queue[int] = asyncio.Queue()
    sidecar = ChildProcess(settings, (sys.executable, "-c", words), ended=pids.put_nowait)
    await is_ended_and_started_again(sidecar, client, pids)


async def test_a_frozen_process_is_refused_at_once_and_replaced(
    settings: ExplainerSettings, client: ExplainerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = "pawsight_serving.gateway"
    monkeypatch.setattr(f"{gateway}.explainer_client._CHECK_S", 0.2)
    monkeypatch.setattr(f"{gateway}.explainer_client._FROZEN_AFTER_S", 1.5)
    monkeypatch.setattr(f"{gateway}.child_process._FROZEN_AFTER_S", 4.0)
    sidecar = ChildProcess(settings)
    async with running(sidecar, client) as frozen:
        os.kill(frozen, signal.SIGSTOP)
        await until(lambda: client.since_last_answer_s() > 1.5)
        assert not client.connected
        with pytest.raises(ExplainerUnavailable):
            await explain(client)
        await ended(frozen)
        assert await sidecar.wait_reachable(30)
        assert (await explain(client)).model == "tiny"


class NobodyAsks(ExplainerClient):
    def since_last_answer_s(self) -> float:
        return 0.0


async def test_a_process_that_nobody_asks_gives_signs_of_life_and_is_replaced_without(
    settings: ExplainerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "pawsight_serving.gateway.child_process"
    monkeypatch.setattr(f"{module}._LOOK_S", 0.05)
    monkeypatch.setattr(f"{module}._FROZEN_AFTER_S", 4.5)
    client = NobodyAsks()
    sidecar = ChildProcess(settings)
    async with running(sidecar, client) as first:
        await asyncio.sleep(5.0)
        assert sidecar.pid == first
        os.kill(first, signal.SIGSTOP)
        await ended(first)
        await until(lambda: sidecar.pid != first)
        assert await sidecar.wait_reachable(30)
    await client.disconnect()


async def test_one_that_was_stopped_together_with_its_parent_is_left_alone(
    settings: ExplainerSettings, client: ExplainerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "pawsight_serving.gateway.child_process"
    monkeypatch.setattr(f"{module}._LOOK_S", 0.1)
    monkeypatch.setattr(f"{module}._FROZEN_AFTER_S", 2.8)
    sidecar = ChildProcess(settings)
    async with running(sidecar, client) as first:
        os.kill(first, signal.SIGSTOP)
        # As if this process had been stopped too: its event loop does nothing.
        time.sleep(3.0)  # noqa: ASYNC251
        os.kill(first, signal.SIGCONT)
        await asyncio.sleep(1.2)
        assert sidecar.pid == first
        assert (await explain(client)).model == "tiny"


async def test_one_that_hangs_at_its_start_is_killed_and_started_again(
    settings: ExplainerSettings,
    client: ExplainerClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("pawsight_serving.gateway.child_process._STARTS_WITHIN_S", 0.1)
    pids: asyncio.Queue[int] = asyncio.Queue()
    sidecar = ChildProcess(settings, (sys.executable, "-c", HANGING), ended=pids.put_nowait)
    await is_ended_and_started_again(sidecar, client, pids)
    assert "the explainer has not started within 0.1 s; ending it" in caplog.text


async def test_one_that_cannot_be_connected_to_is_ended_and_started_again(
    settings: ExplainerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    class NoRoute(ExplainerClient):
        disconnected = 0

        async def connect(self, address: Address) -> None:
            raise OSError(f"no route to {address}")

        async def disconnect(self) -> None:
            self.disconnected += 1

    client = NoRoute()
    pids: asyncio.Queue[int] = asyncio.Queue()
    sidecar = ChildProcess(settings, (sys.executable, "-c", DEAF), ended=pids.put_nowait)
    sidecar.start(client)
    try:
        first = await asyncio.wait_for(pids.get(), 30)
        await ended(first)
        assert client.disconnected
    finally:
        await sidecar.stop(0)
    assert "no route to 127.0.0.1:1" in caplog.text
    assert "cannot be started" not in caplog.text
