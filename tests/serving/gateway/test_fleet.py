"""Several processes on one port, as real processes."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import socket
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from pawsight_client import AsyncClient
from pawsight_serving.addresses import Address
from pawsight_serving.errors import AddressUnavailable, ConfigurationInvalid, RepositoryInvalid
from pawsight_serving.gateway.fleet import serve_fleet
from pawsight_serving.gateway.launched_process import EXPLAINER_COMMAND, LaunchedProcess
from pawsight_serving.gateway.metrics import SHARED_FOLDER
from tests.serving.fakes import picture
from tests.serving.gateway.test_main import make_settings
from tests.serving.tiny_repository import publish_tiny
from tests.serving.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

RED = picture("red")
NO_EXPLAINER = Address("127.0.0.1", 1)


@asynccontextmanager
async def fleet(
    models: str = "tiny",
    /,
    explainer_command: Sequence[str] = EXPLAINER_COMMAND,
    launched: LaunchedProcess | None = None,
    **settings: object,
) -> AsyncIterator[tuple[str, str]]:
    """Run two workers, and yield their URLs over HTTP and gRPC."""
    started, stop = asyncio.get_running_loop().create_future(), asyncio.Event()
    made = make_settings(workers=2, **{"explainer": NO_EXPLAINER, **settings})
    serving = asyncio.create_task(
        serve_fleet(
            made,
            stop.wait,
            started.set_result,
            explainer_command=explainer_command,
            launched=launched,
        )
    )
    await asyncio.wait({serving, started}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    greeting = await started
    http, grpc = re.findall(r"(?:http|grpc)://\S+", greeting)
    assert greeting.startswith(f"Pawsight serves {models} on ")
    try:
        yield http, grpc
    finally:
        stop.set()
        await asyncio.wait_for(serving, 30)


def workers() -> list[int]:
    return children(os.getpid(), b"pawsight_serving.gateway")


def sidecars(parent: int) -> list[int]:
    return children(parent, b"pawsight_serving.explainer")


def children(parent: int, name: bytes) -> list[int]:
    threads = Path(f"/proc/{parent}/task").glob("*/children")
    pids = [int(pid) for each in threads for pid in read(each).split()]
    return [pid for pid in pids if name in read(Path(f"/proc/{pid}/cmdline"))]


def read(file: Path) -> bytes:
    """Return what a file says of a thread or process; nothing where that has ended."""
    try:
        return file.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def in_flight_of(worker: int) -> list[Path]:
    """Return the files in which a worker counts what it is doing."""
    environment = Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")
    folder = dict(each.partition(b"=")[::2] for each in environment)[SHARED_FOLDER.encode()]
    return list(Path(os.fsdecode(folder)).glob(f"gauge_live*_{worker}.db"))


async def ask_often(url: str, times: int, path: str = "/v1/models/tiny:predict") -> None:
    """Ask over a new connection each time, so that every worker is asked."""
    for _ in range(times):
        async with httpx.AsyncClient(base_url=url) as http:
            answer = await http.post(path, content=RED, timeout=20)
            assert answer.status_code == 200


async def test_workers_share_the_ports_and_count_together(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish_tiny(tmp_path)
    async with fleet(repository=tmp_path) as (http, grpc):
        assert len(workers()) == 2
        # An explainer is named, and runs elsewhere.
        assert sidecars(os.getpid()) == []
        await ask_often(http, 12)
        async with AsyncClient(grpc, timeout_s=20) as client:
            assert (await client.predict(RED)).label == "dog"
        for _ in range(4):  # whichever worker is asked
            async with httpx.AsyncClient() as client_:
                text = (await client_.get(f"{http}/metrics")).text
            async with httpx.AsyncClient() as client_:
                answer = (await client_.get(f"{http}/v2/models/tiny/stats")).json()
            assert answer["model_stats"][0]["inference_count"] == 13
            labels = 'code="OK",method="predict",protocol'
            assert f'pawsight_requests_total{{{labels}="http"}} 12.0' in text
            assert f'pawsight_requests_total{{{labels}="grpc"}} 1.0' in text
            assert "pawsight_ready 1.0" in text

        killed = workers()[0]
        forgotten = in_flight_of(killed)
        assert forgotten != []
        os.kill(killed, signal.SIGKILL)
        async with asyncio.timeout(30):
            while len(set(workers()) - {killed}) < 2:  # noqa: ASYNC110 - another process's
                await asyncio.sleep(0.05)
        assert "the worker ended" in caplog.text
        assert not any(each.exists() for each in forgotten)
    assert workers() == []


async def test_workers_share_the_sidecar_that_was_launched_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pawsight_serving.gateway.child_process._SPARE_AFTER_S", 3600.0)
    publish_tiny(tmp_path)
    launched = LaunchedProcess()
    async with fleet(repository=tmp_path, explainer=None, launched=launched) as (http, _):
        await ask_often(http, 8, "/v1/models/tiny:explain?method=activations")
        assert sidecars(os.getpid()) == [launched.pid]
        assert [pid for worker in workers() for pid in sidecars(worker)] == []
    assert sidecars(os.getpid()) == []


async def test_a_fleets_sidecar_has_a_spare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pawsight_serving.gateway.child_process._SPARE_AFTER_S", 0.0)
    publish_tiny(tmp_path)
    async with fleet(repository=tmp_path, explainer=None):
        await until(lambda: len(sidecars(os.getpid())) == 2)
    assert sidecars(os.getpid()) == []


async def test_a_frozen_worker_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pawsight_serving.gateway.child_process._FROZEN_AFTER_S", 3.0)
    publish_tiny(tmp_path)
    async with fleet(repository=tmp_path) as (http, _):
        frozen = workers()[0]
        os.kill(frozen, signal.SIGSTOP)
        async with asyncio.timeout(30):
            while frozen in workers() or len(workers()) < 2:  # noqa: ASYNC110 - another process's
                await asyncio.sleep(0.05)
        # The kernel sends nothing more to a port that nobody listens on.
        await ask_often(http, 8)


async def test_a_worker_that_cannot_start_ends_the_start(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigurationInvalid, match="above"):
        async with fleet(repository=tmp_path / "missing"):
            pass
    assert "There is no model repository" in capfd.readouterr().err
    assert workers() == []


async def test_a_broken_model_ends_the_start(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    publish_tiny(tmp_path, name="other")
    (tmp_path / "other" / "1" / "model.onnx").write_bytes(b"broken")
    with pytest.raises(RepositoryInvalid, match="other version 1 is not the file"):
        async with fleet(repository=tmp_path):
            pass
    assert workers() == []


async def test_a_worker_that_is_started_again_goes_on_without_a_broken_model(
    tmp_path: Path,
) -> None:
    publish_tiny(tmp_path)
    publish_tiny(tmp_path, name="other")
    async with fleet("other, tiny", repository=tmp_path) as (http, _):
        (tmp_path / "other" / "1" / "model.onnx").write_bytes(b"broken")
        first = set(workers())
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(30):
            while True:
                with suppress(httpx.TransportError):
                    await ask_often(http, 1)
                    break
                await asyncio.sleep(0.05)
            async with httpx.AsyncClient(base_url=http) as client:
                answer = await client.post("/v1/models/other:predict", content=RED)
        assert (answer.status_code, answer.json()["code"]) == (503, "ENGINE_UNAVAILABLE")
        assert not first & set(workers())


async def test_the_sidecar_is_waited_for_before_a_fleet_says_that_it_serves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish_tiny(tmp_path)
    dumb = (sys.executable, "-c", "import sys; sys.stdin.read()")
    with caplog.at_level(logging.WARNING):
        async with fleet(explainer_command=dumb, explainer=None, repository=tmp_path) as (http, _):
            assert "serving without explanations" in caplog.text
            await ask_often(http, 1)


async def test_a_start_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    def started(greeting: str) -> None:
        raise AssertionError(greeting)

    stop = asyncio.Event()
    settings = make_settings(workers=2, explainer=NO_EXPLAINER, repository=tmp_path)
    dumb = (sys.executable, "-c", "import sys; sys.stdin.read()", "pawsight_serving.gateway")
    serving = asyncio.create_task(serve_fleet(settings, stop.wait, started, dumb))
    await until(lambda: len(workers()) == 2)
    stop.set()
    await asyncio.wait_for(serving, 10)
    assert workers() == []


async def test_a_worker_that_is_told_to_stop_finishes_what_is_under_way(tmp_path: Path) -> None:
    """A service manager's signal goes to every process, the parent's children included."""
    publish_tiny(tmp_path)
    half_sent, told = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield RED[:20]
        half_sent.set()
        await told.wait()
        yield RED[20:]

    async with fleet(repository=tmp_path) as (http, _), httpx.AsyncClient(base_url=http) as client:
        # Over a connection that one of the workers has taken already.
        assert (await client.get("/healthz")).status_code == 200
        asked = asyncio.create_task(
            client.post(
                "/v1/models/tiny:predict", content=body(), headers={"content-type": "image/png"}
            )
        )
        await asyncio.wait_for(half_sent.wait(), 10)
        first = set(workers())
        for pid in first:
            os.kill(pid, signal.SIGTERM)
        async with asyncio.timeout(10):
            with suppress(httpx.ConnectError):
                while True:
                    # One that the kernel had taken as the worker stopped to listen is reset.
                    with suppress(httpx.ReadError):
                        async with httpx.AsyncClient(base_url=http) as other:
                            await other.get("/healthz")
                    await asyncio.sleep(0.01)
        told.set()
        assert (await asyncio.wait_for(asked, 20)).status_code == 200
        async with asyncio.timeout(30):
            while len(set(workers()) - first) < 2:  # noqa: ASYNC110 - other processes'
                await asyncio.sleep(0.05)


async def test_a_taken_port_ends_the_start(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(AddressUnavailable):
            async with fleet(http=Address("127.0.0.1", taken.getsockname()[1])):
                pass
