"""The `pawsight` program as real processes."""

from __future__ import annotations

import re
import selectors
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_S = 60
STOP_S = 20
READY = re.compile(r"serves (.+) on (http://\S+) and (grpc://\S+)")


@dataclass(frozen=True)
class Served:
    """A gateway's process, with its sidecar."""

    process: subprocess.Popen[str]
    repository: Path
    http: str
    grpc: str


def pawsight(*arguments: str | Path, cwd: Path) -> str:
    """Run a command to its end and return what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "pawsight_client", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def first_line(process: subprocess.Popen[str], pattern: re.Pattern[str]) -> re.Match[str]:
    """Return the first line of a process that matches, within `START_S`."""
    assert process.stdout is not None
    deadline = time.monotonic() + START_S
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            line = process.stdout.readline()
            if found := pattern.search(line):
                return found
            if not line:
                break
    raise AssertionError(f"the server did not say {pattern.pattern!r} in {START_S} s")


@contextmanager
def serving(repository: Path, *options: str | Path) -> Iterator[Served]:
    """Serve a repository on free ports; at the end SIGTERM must end it cleanly."""
    command = [sys.executable, "-m", "pawsight_client", "serve", "--repository", str(repository)]
    process = subprocess.Popen(
        [*command, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", *map(str, options)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            ready = first_line(process, READY)
            yield Served(process, repository, ready[2], ready[3])
            process.send_signal(signal.SIGTERM)
            assert process.wait(STOP_S) == 0
        finally:
            process.kill()
