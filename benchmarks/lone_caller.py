"""How much longer a lone caller waits than for a bare call, and how much of it any server costs.

    python -m benchmarks.lone_caller [--model cats_dogs_vgg16] [--seconds 5] [--rounds 5]

The bare call decodes and infers in the load generator's place, with no server. In every round it is
measured, then each server over each protocol, all with the same picture; the p50 of the bare call
of that round is taken from theirs, and the median over the rounds is printed. The plain server is
the least that gRPC allows (`benchmarks/plain_grpc.py`).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.plain_grpc import LISTENS
from benchmarks.served import asked, draw, gateway
from benchmarks.serving import Bare

if TYPE_CHECKING:
    from collections.abc import Iterator


def main() -> None:
    """Print one row a server."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--model", default="cats_dogs_vgg16")
    arguments.add_argument("--repository", type=Path, default=Path("model_repository"))
    arguments.add_argument("--picture", type=Path, help="a JPEG; one of 41 KB is drawn otherwise")
    arguments.add_argument("--seconds", type=float, default=5, help="a figure")
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        picture = options.picture or draw(Path(folder) / "drawn.jpg")
        bare = Bare(options.repository, options.model, picture.read_bytes())
        bare.run(1, 1)
        with (
            plain_server(options.repository, options.model, picture) as plain,
            gateway("--repository", str(options.repository)) as served,
        ):
            servers = {
                "plain gRPC server": plain,
                "gateway, gRPC": f"grpc://{served.grpc}",
                "gateway, HTTP": f"http://{served.http}",
            }
            added_ms: dict[str, list[float]] = {name: [] for name in servers}
            for number in range(options.rounds):
                _, alone_ms = bare.run(1, options.seconds)
                for name, url in servers.items():
                    seen = asked(url, picture, options.model, callers=1, seconds=options.seconds)
                    added_ms[name].append(seen["p50_ms"] - alone_ms)
                print(f"round {number + 1} of {options.rounds}: bare p50 {alone_ms:.2f} ms")
    print("server            | added p50 ms: median, least to most")
    for name, each_ms in added_ms.items():
        print(f"{name:17} | {median(each_ms):.2f}, {min(each_ms):.2f} to {max(each_ms):.2f}")


@contextmanager
def plain_server(repository: Path, model: str, picture: Path) -> Iterator[str]:
    """Start the plain server, and end it; yields its address."""
    command = [sys.executable, "-m", "benchmarks.plain_grpc", "--repository", str(repository)]
    command += ["--model", model, "--picture", str(picture)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline().strip()
            if not said.startswith(LISTENS):
                raise SystemExit("The plain server did not start; try `benchmarks.plain_grpc`.")
            yield f"grpc://{said.removeprefix(LISTENS)}"
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    main()
