"""What a saturated sidecar costs predictions: their p99 at a fixed rate, with and without.

    python -m benchmarks.explain_interference [--model NAME] [--rate 20] [--seconds 20] [--rounds 3]

Gateway and sidecar have a core each, the first two that this process may use. Predictions come over
gRPC at a fixed rate, answered or not; what counts is the time from when a call was due to its
answer. In turns nobody explains, and so many callers as keep the sidecar busy ask for overlays, of
the last layer and of an earlier one, each again once answered. All callers live on the sidecar's
core: those who predict before everybody there, as far as this process may raise their priority,
those who explain behind everybody. The ratio is that of the medians over the rounds.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.served import Gateway, draw, gateway, load
from pawsight_client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

BAR: Final = 1.2
EXPLAINERS: Final = 3
_CALLERS: Final = 16
_FIRST: Final = -10
_LAST: Final = 10


def main() -> None:
    """Print a row a round, and the ratio."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--model", default="cats_dogs_vgg16")
    arguments.add_argument("--layer", default="", help="the earlier one; default: in the middle")
    arguments.add_argument("--repository", default="model_repository")
    arguments.add_argument("--rate", type=float, default=20.0, help="predictions a second")
    arguments.add_argument("--seconds", type=float, default=20.0, help="of a turn")
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    ours, theirs = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, {ours})
    with (
        tempfile.TemporaryDirectory() as folder,
        gateway("--repository", str(options.repository)) as served,
    ):
        pin(served.sidecar(), theirs)
        # What this process starts from here on, it starts there.
        os.sched_setaffinity(0, {theirs})
        print(f"gateway on core {ours}, sidecar and callers on core {theirs}; {priority()}")
        picture = draw(Path(folder) / "picture.jpg")
        measure(served, picture, options)


def measure(served: Gateway, picture: Path, options: argparse.Namespace) -> None:
    """Take turns, and print what the callers saw."""
    predictions = {"callers": _CALLERS, "rate": options.rate, "seconds": options.seconds}
    seen: dict[str, list[float]] = {"alone": [], "beside explanations": []}
    print("round | predictions    | p50 ms | p99 ms | refused | explanations/s")
    for number in range(options.rounds):
        for kind, p99_ms in seen.items():
            explained = [0]
            if kind == "alone":
                found = load(served, "grpc", picture, options.model, **predictions)
            else:
                with explaining(served, picture, options) as explained:
                    found = load(served, "grpc", picture, options.model, **predictions)
            p99_ms.append(found["p99_ms"])
            refused = sum(n for code, n in found["codes"].items() if code != "OK")
            print(
                f"{number + 1:5} | {kind:19} | {found['p50_ms']:6.1f} | {found['p99_ms']:6.1f} | "
                f"{refused:7} | {explained[0] / options.seconds:.1f}",
                flush=True,
            )
    alone, beside = (statistics.median(values) for values in seen.values())
    print(
        f"p99 of predictions at {options.rate:g}/s: {alone:.1f} ms alone, {beside:.1f} ms beside "
        f"explanations, {beside / alone:.2f} times (bar: {BAR})"
    )


@contextmanager
def explaining(served: Gateway, picture: Path, options: argparse.Namespace) -> Iterator[list[int]]:
    """Keep the sidecar busy in the body; gives the number of explanations so far, in a list."""
    done = threading.Event()
    count = [0]
    data = picture.read_bytes()

    def ask(client: Client, layer: str) -> None:
        # Linux has a priority for each thread.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LAST)
        for each in itertools.cycle(("", layer)):
            if done.is_set():
                return
            client.explain(data, model=options.model, layer=each)
            count[0] += 1

    with Client(f"grpc://{served.grpc}", timeout_s=60, retries=0) as client:
        (model,) = (each for each in client.models() if each.name == options.model)
        convs = [each.name for each in model.layers if each.kind == "conv"]
        layer = options.layer or convs[len(convs) // 2]
        threads = [threading.Thread(target=ask, args=(client, layer)) for _ in range(EXPLAINERS)]
        for thread in threads:
            thread.start()
        try:
            yield count
        finally:
            done.set()
            for thread in threads:
                thread.join()
            if not count[0]:
                raise SystemExit("Nothing was explained; see above.")


def pin(pid: int, core: int) -> None:
    """Keep every thread of a process on one core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def priority() -> str:
    """Raise the priority of what is started from here on; return what came of it."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, _FIRST)
    except PermissionError:
        return "callers who predict share it with the sidecar, as their priority cannot be raised"
    return f"callers who predict have priority {_FIRST} there"


if __name__ == "__main__":
    main()
