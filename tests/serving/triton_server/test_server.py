from __future__ import annotations

from pathlib import Path

import pytest

from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.triton_server import server as module
from pawsight_serving.triton_server.environment import Environment
from pawsight_serving.triton_server.ports import Ports, claim
from pawsight_serving.triton_server.server import TritonServer


def fake_server(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> TritonServer:
    """Return a server whose program is a shell script."""
    monkeypatch.setattr(module, "link_backends", lambda *_: folder)
    program = folder / "bin" / "tritonserver"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    environment = Environment(folder, "3.11", folder, Path("/nonexistent"))
    return TritonServer(environment, folder, folder, claim(Ports(0, 0, 0)))


async def test_a_server_that_ends_at_once_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fake_server(tmp_path, "exit 3", monkeypatch) as server:
        with pytest.raises(EngineUnavailable, match="could not load the models"):
            await server.wait_ready(20)


async def test_a_server_that_hangs_is_ended_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_KILL_AFTER_S", 0.1)
    deaf = "trap '' TERM\nwhile true; do sleep 0.1; done"
    async with fake_server(tmp_path, deaf, monkeypatch) as server:
        with pytest.raises(EngineUnavailable, match=r"not ready within 0\.3 s"):
            await server.wait_ready(0.3)
    await server.wait_ended()


async def test_everything_is_on_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = f'printf "%s\\n" "$@" > {tmp_path}/arguments'
    async with fake_server(tmp_path, script, monkeypatch) as server:
        await server.wait_ended()
    arguments = (tmp_path / "arguments").read_text().splitlines()
    for protocol in ("http", "grpc", "metrics"):
        assert f"--{protocol}-address=127.0.0.1" in arguments
