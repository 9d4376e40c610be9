"""One Triton process: started, waited for, ended, each within a bound."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import closing, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from pawsight_serving.addresses import Address
from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.triton_server.backends import link_backends, variables
from pawsight_serving.triton_server.ports import HOST, Ports

if TYPE_CHECKING:
    from pawsight_serving.triton_server.environment import Environment

_WATCHDOG: Final = Path(__file__).with_name("watchdog.py")
_ASK_AGAIN_S: Final = 0.05
_ANSWER_TIMEOUT_S: Final = 1.0
# Triton waits so long for requests under way, and for HTTP clients that keep a connection open.
_EXIT_TIMEOUT_S: Final = 5
_KILL_AFTER_S: Final = 10.0
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - where POSIX shared memory lies on Linux


class TritonServer:
    """A Triton on loopback, that polls a folder of models; a context that ends it.

    Args:
        environment: where Triton is installed.
        models: the models' folder, in Triton's layout.
        folder: for its backends; empty.
        ports: where to listen, all of them free.
        trace_endpoint: OTLP address, over HTTP, that its traces go to; without it, none are made.
    """

    def __init__(
        self,
        environment: Environment,
        models: Path,
        folder: Path,
        ports: Ports,
        trace_endpoint: str | None = None,
    ) -> None:
        self._environment = environment
        self._models = models
        self._folder = folder
        self._trace_endpoint = trace_endpoint
        self._process: asyncio.subprocess.Process | None = None
        self._http, self._grpc, self._metrics = (Address(HOST, port) for port in ports)

    def __str__(self) -> str:
        return f"http://{self._http}, grpc://{self._grpc} and http://{self._metrics}/metrics"

    async def __aenter__(self) -> Self:
        backends = link_backends(self._environment, self._folder)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            _WATCHDOG,
            self._folder,
            self._region_prefix,
            self._environment.executable,
            *self._arguments(backends),
            env=variables(self._environment, self._folder),
            # Its end is how the watchdog learns that we were killed.
            stdin=subprocess.PIPE,
            # Ctrl-C reaches us alone, and all of Triton's processes end with their group.
            start_new_session=True,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self._running()
        with suppress(ProcessLookupError):
            process.terminate()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _KILL_AFTER_S)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        # A Triton that was killed leaves its shared memory behind.
        for region in _SHARED_MEMORY.glob(f"{self._region_prefix}*"):
            region.unlink(missing_ok=True)

    async def wait_ready(self, timeout_s: float) -> None:
        """Wait until every model is loaded.

        Raises:
            EngineUnavailable: Triton ended, or was not ready in time.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not await asyncio.to_thread(self._is_ready):
                    if self._running().returncode is not None:
                        raise EngineUnavailable(
                            "Triton could not load the models; its log above says why."
                        )
                    await asyncio.sleep(_ASK_AGAIN_S)
        except TimeoutError as error:
            raise EngineUnavailable(
                f"Triton was not ready within {timeout_s:g} s; its log above may say why."
            ) from error

    async def wait_ended(self) -> None:
        """Wait until Triton has ended."""
        await self._running().wait()

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("the server was not started")
        return self._process

    def _is_ready(self) -> bool:
        # One for each question: a connection that stays open would hold up Triton's end.
        with closing(HTTPConnection(*self._http, timeout=_ANSWER_TIMEOUT_S)) as connection:
            try:
                connection.request("GET", "/v2/health/ready")
                return connection.getresponse().status == HTTPStatus.OK
            except (OSError, HTTPException):
                return False

    @property
    def _region_prefix(self) -> str:
        return f"pawsight_{self._grpc.port}_"

    def _arguments(self, backends: Path) -> list[str]:
        return [
            f"--model-repository={self._models}",
            f"--backend-directory={backends}",
            f"--http-address={HOST}",
            f"--http-port={self._http.port}",
            f"--grpc-address={HOST}",
            f"--grpc-port={self._grpc.port}",
            f"--metrics-address={HOST}",
            f"--metrics-port={self._metrics.port}",
            "--allow-gpu-metrics=false",
            "--disable-auto-complete-config",
            "--model-control-mode=poll",
            "--repository-poll-secs=1",
            f"--exit-timeout-secs={_EXIT_TIMEOUT_S}",
            f"--backend-config=python,shm-region-prefix-name={self._region_prefix}",
            # Without a GPU the pool would only make warnings; nothing here is copied through it.
            "--pinned-memory-pool-byte-size=0",
            "--log-info=false",
            *_tracing(self._trace_endpoint),
        ]


def _tracing(endpoint: str | None) -> list[str]:
    """Return what makes a span of each request, below the caller's that came along with it."""
    if endpoint is None:
        return []
    return [
        "--trace-config=mode=opentelemetry",
        "--trace-config=level=TIMESTAMPS",
        "--trace-config=rate=1",
        f"--trace-config=opentelemetry,url={endpoint}",
        "--trace-config=opentelemetry,resource=service.name=pawsight-triton",
    ]
