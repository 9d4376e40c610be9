"""A gateway and its sidecar as real processes, for measuring."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Served:
    """Where a gateway answers, and its processes by name."""

    http: str
    grpc: str
    pids: dict[str, int]


@contextmanager
def served(repository: str | Path) -> Iterator[Served]:
    """Serve a repository on free ports; the processes end with the body."""
    command = [sys.executable, "-m", "pawsight_client", "serve", "--repository", str(repository)]
    with subprocess.Popen(
        [*command, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            found = re.search(r"(http://\S+) and (grpc://\S+)", said)
            if found is None:
                raise RuntimeError(f"the gateway did not start: {said}")
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            (sidecar,) = map(int, children.split())
            yield Served(found[1], found[2], {"gateway": process.pid, "sidecar": sidecar})
        finally:
            process.terminate()
            process.wait(timeout=30)
