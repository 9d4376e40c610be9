"""`pawsight triton` as a process of its own, on free ports."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.processes import STOP_S, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator

NOWHERE = "127.0.0.1:1"
_READY = re.compile(r"serves (?P<models>.+) on http://(?P<http>\S+), grpc://(?P<grpc>\S+) and")


@dataclass(frozen=True)
class RunningTriton:
    process: subprocess.Popen[str]
    models: str
    http: str
    grpc: str

    def kill(self) -> None:
        """End the server as a crash would; the command ends with it."""
        os.kill(self.server_pid, signal.SIGKILL)
        assert self.process.wait(STOP_S) == 1

    @property
    def server_pid(self) -> int:
        return only_child(self.warden_pid)

    @property
    def warden_pid(self) -> int:
        return only_child(self.process.pid)


def only_child(pid: int) -> int:
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


@contextlib.contextmanager
def running_triton(
    repository: Path, http_port: str = "0", grpc_port: str = "0", *options: str
) -> Iterator[RunningTriton]:
    """Run Triton on a repository; wait until it is ready, and end it at the end."""
    command = [sys.executable, "-m", "pawsight_client", "triton", "--repository", str(repository)]
    ports = ["--http-port", http_port, "--grpc-port", grpc_port, "--metrics-port", "0"]
    with subprocess.Popen(
        [*command, *ports, *options], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            ready = first_line(process, _READY)
            yield RunningTriton(process, **ready.groupdict())
            if process.poll() is None:
                process.terminate()
                assert process.wait(STOP_S) == 0
        finally:
            # The command ends the server with itself; killed, it could not.
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
            process.kill()
