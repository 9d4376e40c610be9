"""`pawsight triton` as its user starts it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest

from pawsight_export.publishing.publication import publish
from pawsight_serving.engines.triton import TritonEngine
from pawsight_serving.errors import FolderUnreadable, RepositoryInvalid
from pawsight_serving.repository.rollback import roll_back
from pawsight_serving.requests.deadlines import Deadline
from pawsight_serving.triton_server import main as module
from pawsight_serving.triton_server.view import RepositoryView
from tests.processes import START_S, STOP_S
from tests.serving.tiny_repository import SIDE, publish_tiny
from tests.serving.triton_process import running_triton

if TYPE_CHECKING:
    from pawsight_serving.triton_server.environment import Environment


def test_a_repository_that_is_not_there_is_said_before_anything_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert "There is no model repository" in refusal(tmp_path / "missing")
    assert not (tmp_path / "cache").exists()


async def test_a_fault_is_logged_once_and_ends_no_following(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = RepositoryInvalid("The manifest of tiny version 2 cannot be read.")
    looks: list[Any] = [{"tiny": broken}, {"tiny": broken}, RuntimeError(), {"tiny": broken}]
    await follow_through(looks, {"tiny": None}, monkeypatch)
    assert [record.getMessage() for record in caplog.records] == [
        "tiny is served as it was: The manifest of tiny version 2 cannot be read.",
        "the repository could not be followed",
        "tiny is served as it was: The manifest of tiny version 2 cannot be read.",
    ]


async def test_what_the_start_has_told_of_is_logged_again_only_when_it_comes_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = {"lost+found": FolderUnreadable("This process may not look into it."), "tiny": None}
    await follow_through([found, found], found, monkeypatch)
    assert caplog.records == []
    await follow_through([{"tiny": None}, found], found, monkeypatch)
    assert [record.getMessage() for record in caplog.records] == [
        "lost+found is served as it was: This process may not look into it."
    ]


async def follow_through(
    looks: list[Any], found: module.Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Follow a view until it has been looked at so often, each time with what is given."""
    monkeypatch.setattr(module, "_FOLLOW_S", 0.0)
    over = asyncio.Event()

    class View(RepositoryView):
        def __init__(self) -> None:
            pass

        def refresh(self) -> dict[str, RepositoryInvalid | OSError | None]:
            if not looks:
                over.set()
                return {"tiny": None}
            found = looks.pop(0)
            if isinstance(found, Exception):
                raise found
            return dict(found)

    following = module.follow(View(), found)
    following.start()
    async with asyncio.timeout(20):
        await over.wait()
    await following.stop()


@pytest.mark.triton
def test_it_serves_says_where_and_ends_cleanly(
    tmp_path: Path, triton_environment: Environment
) -> None:
    publish_tiny(tmp_path)
    with running_triton(tmp_path) as triton:
        assert triton.models == "tiny"
        assert httpx.get(f"http://{triton.http}/v2/models/tiny_explain/ready").is_success
        server = Path(f"/proc/{triton.server_pid}")
    assert not server.exists()
    port = triton.grpc.rpartition(":")[2]
    assert not list(Path("/dev/shm").glob(f"pawsight_{port}_*"))


@pytest.mark.triton
async def test_a_rollback_from_another_input_size_serves_the_earlier_version_again(
    tmp_path: Path, triton_environment: Environment
) -> None:
    repository = tmp_path / "repository"
    publish_tiny(repository)
    publish_tiny(tmp_path / "staged", version="2", side=4, precision="int8")
    with running_triton(repository) as triton:
        engine = TritonEngine(triton.grpc)
        await engine.start()
        assert await side_of(engine, "1") == SIDE
        publish(tmp_path / "staged", repository, "tiny", "2")
        assert await side_of(engine, "2") == 4
        roll_back(repository, "tiny")
        assert await side_of(engine, "1") == SIDE
        await engine.close()


async def side_of(engine: TritonEngine, version: str) -> int:
    """Return a version's input size, once it alone is served and both its graphs have answered."""
    async with asyncio.timeout(60):
        while [each.version for each in engine.manifests()] != [version]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    side = engine.manifests()[0].input_size[0]
    images = np.zeros((1, side, side, 3), np.uint8)
    for graph in ("tiny", "tiny_explain"):
        await engine.infer(graph, version, images, ["probabilities"], Deadline.after(20))
    return side


@pytest.mark.triton
def test_a_killed_server_ends_the_command(tmp_path: Path, triton_environment: Environment) -> None:
    publish_tiny(tmp_path)
    with running_triton(tmp_path) as triton:
        triton.kill()
    port = triton.grpc.rpartition(":")[2]
    assert not list(Path("/dev/shm").glob(f"pawsight_{port}_*"))


@pytest.mark.triton
@pytest.mark.parametrize("victim", ["command", "watchdog"])
def test_the_server_goes_with_who_was_killed(
    tmp_path: Path, triton_environment: Environment, monkeypatch: pytest.MonkeyPatch, victim: str
) -> None:
    folders = tmp_path / "folders"
    folders.mkdir()
    monkeypatch.setenv("TMPDIR", str(folders))
    publish_tiny(tmp_path / "repository")
    with running_triton(tmp_path / "repository") as triton:
        processes = [Path(f"/proc/{pid}") for pid in (triton.warden_pid, triton.server_pid)]
        os.kill(triton.process.pid if victim == "command" else triton.warden_pid, signal.SIGKILL)
        triton.process.wait(STOP_S)
        deadline_s = time.monotonic() + STOP_S
        while any(map(runs, processes)) and time.monotonic() < deadline_s:
            time.sleep(0.02)
        assert not any(map(runs, processes))
    port = triton.grpc.rpartition(":")[2]
    assert not list(Path("/dev/shm").glob(f"pawsight_{port}_*"))
    assert list(folders.iterdir()) == []


def runs(process: Path) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.triton
def test_a_broken_repository_is_one_sentence(
    tmp_path: Path, triton_environment: Environment
) -> None:
    publish_tiny(tmp_path)
    (tmp_path / "tiny" / "1" / "model.onnx").write_bytes(b"garbage")
    assert "digest differs" in refusal(tmp_path)


@pytest.mark.triton
def test_a_model_that_does_not_load_is_one_sentence(
    tmp_path: Path, triton_environment: Environment
) -> None:
    publish_tiny(tmp_path)
    (tmp_path / "tiny" / "1" / "model.py").write_text("raise RuntimeError('cannot load')")
    assert "could not load the models" in refusal(tmp_path)


def refusal(repository: Path) -> str:
    """Return the last line of a `pawsight triton` that ends with exit status 1."""
    command = [sys.executable, "-m", "pawsight_client", "triton", "--repository", str(repository)]
    ports = ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"]
    ended = subprocess.run([*command, *ports], capture_output=True, text=True, timeout=START_S)
    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("Error: ")
    return last
