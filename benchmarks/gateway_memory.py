"""The memory of the gateway with its engine: at the start, under load, and after a crowd has gone.

    python -m benchmarks.gateway_memory [--model cats_dogs_vgg16] [--seconds 3]

Resident memory, MiB, of the gateway's process without its sidecar; its engine is in it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.served import draw, gateway, load

CALLERS = (1, 8, 32, 256)
REST_S = 3.0


def main() -> None:
    """Print one line a state."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--model", action="append", help="asked; cats_dogs_vgg16 by default")
    arguments.add_argument("--repository", default="model_repository")
    arguments.add_argument("--protocols", nargs="+", default=["grpc", "http"])
    arguments.add_argument("--seconds", type=float, default=3.0, help="of each load")
    arguments.add_argument("--options", default="", help="more options of `pawsight serve`")
    options = arguments.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        gateway("--repository", options.repository, *options.options.split()) as served,
    ):
        picture = draw(Path(folder) / "drawn.jpg")
        print(f"started: {served.memory_mib():.0f}", flush=True)
        for model in options.model or ["cats_dogs_vgg16"]:
            for protocol in options.protocols:
                for callers in CALLERS:
                    load(served, protocol, picture, model, callers=callers, seconds=options.seconds)
                    print(
                        f"{model}, {protocol}, {callers} callers: {served.memory_mib():.0f}",
                        flush=True,
                    )
                time.sleep(REST_S)
                print(f"after a rest of {REST_S:.0f} s: {served.memory_mib():.0f}", flush=True)


if __name__ == "__main__":
    main()
