"""A gateway of its own process for a benchmark, and the memory that it takes."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

_READY: Final = re.compile(
    r"serves (?P<models>.+) on http://(?P<http>\S+) and grpc://(?P<grpc>\S+)"
)
_PAGE_KIB: Final = 4


@dataclass(frozen=True)
class Gateway:
    """Where it takes requests, what it serves, and its process."""

    http: str
    grpc: str
    models: tuple[str, ...]
    process: subprocess.Popen[str]

    def memory_mib(self) -> float:
        """Return the resident memory of the gateway, without its sidecar, in MiB."""
        return resident_mib(self.process.pid)

    def sidecar(self) -> int:
        """Return the sidecar's process."""
        (pid, *_) = children(self.process.pid)
        return pid


@contextmanager
def gateway(*options: str) -> Iterator[Gateway]:
    """Start `pawsight serve` on free ports with these options, and end it."""
    command = [sys.executable, "-m", "pawsight_client", "serve"]
    ports = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
    with subprocess.Popen(
        [*command, *ports, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if found := _READY.search(line):
                    models = tuple(found["models"].split(", "))
                    yield Gateway(found["http"], found["grpc"], models, process)
                    break
            else:
                raise SystemExit("The gateway did not start; try `pawsight serve` by hand.")
        finally:
            process.terminate()
            process.wait(30)


def load(
    served: Gateway, protocol: str, picture: Path, model: str, **options: float
) -> dict[str, Any]:
    """Return what callers of the gateway saw over "grpc" or "http"; see `asked`."""
    address = served.grpc if protocol == "grpc" else served.http
    return asked(f"{protocol}://{address}", picture, model, **options)


def asked(url: str, picture: Path, model: str, **options: float) -> dict[str, Any]:
    """Return what the load generator saw, a process of its own.

    Args:
        url: grpc://HOST:PORT or http://HOST:PORT.
        picture: what every caller sends.
        model: whom they ask.
        **options: further ones of `benchmarks.load`: callers, seconds, rate, timeout.
    """
    command = [sys.executable, "-m", "benchmarks.load", url]
    command += ["--model", model, "--picture", str(picture)]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    seen: dict[str, Any] = json.loads(said.stdout)
    return seen


def drawn() -> bytes:
    """Return a JPEG of a photograph's size and weight."""
    noise = Image.effect_noise((500, 375), 60).convert("RGB")
    smooth = Image.linear_gradient("L").resize((500, 375)).convert("RGB")
    out = io.BytesIO()
    Image.blend(smooth, noise, 0.27).save(out, "JPEG", quality=70)
    return out.getvalue()


def draw(path: Path) -> Path:
    """Write such a JPEG."""
    path.write_bytes(drawn())
    return path


def resident_mib(pid: int) -> float:
    """Return a process's resident memory in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_KIB / 1024


def children(pid: int) -> list[int]:
    """Return the processes that one has started."""
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
