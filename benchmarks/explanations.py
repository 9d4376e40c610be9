"""What explanations cost beside predictions: requests per second through the same gateway.

    python -m benchmarks.explanations [--model NAME] [--repository DIR] [--seconds 5] [--callers 4]

A gateway with its sidecar is started, and so many callers ask over gRPC and HTTP what each line
says. The kinds take turns, so that a noisy machine is noisy for all; the ratio is that to
predictions over the same protocol, the median over the turns.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.served import drawn, gateway
from pawsight_client import Client

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS = 5


def main() -> None:
    """Print one row a kind of request and protocol."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--model", default="cats_dogs_scratch")
    arguments.add_argument("--repository", default="model_repository")
    arguments.add_argument("--picture", type=Path, help="a file; default: a drawn one of 500x375")
    arguments.add_argument("--seconds", type=float, default=5.0, help="a kind and protocol")
    arguments.add_argument("--callers", type=int, default=4)
    options = arguments.parse_args()
    picture = options.picture.read_bytes() if options.picture else drawn()

    print("protocol | request | per second | of predictions")
    with gateway("--repository", str(options.repository)) as served:
        for url in (f"http://{served.http}", f"grpc://{served.grpc}"):
            with Client(url, timeout_s=30, retries=0) as client:
                rates = measure(kinds(client, picture, options.model), options)
                predictions = rates["predict"]
                for kind, values in rates.items():
                    ratios = [v / p for v, p in zip(values, predictions, strict=True)]
                    print(
                        f"{url.partition(':')[0]:8} | {kind} | {statistics.median(values):.1f} | "
                        f"{statistics.median(ratios):.2f}"
                    )


def kinds(client: Client, picture: bytes, model: str) -> dict[str, Callable[[], object]]:
    """Return what is asked, by name."""
    return {
        "predict": lambda: client.predict(picture, model=model),
        "grad-cam, values": lambda: client.explain(picture, model=model, overlay=False),
        "grad-cam, overlay": lambda: client.explain(picture, model=model),
        "grad-cam, every layer": lambda: client.explain_all(picture, model=model),
        "grad-cam, every layer, overlays": lambda: client.explain_all(
            picture, model=model, overlay=True
        ),
    }


def measure(
    asked: dict[str, Callable[[], object]], options: argparse.Namespace
) -> dict[str, list[float]]:
    """Return each kind's requests per second, a value a turn."""
    rates: dict[str, list[float]] = {kind: [] for kind in asked}
    for ask in asked.values():
        ask()
    for _ in range(TURNS):
        for kind, ask in asked.items():
            rates[kind].append(rate(ask, options.seconds / TURNS, options.callers))
    return rates


def rate(ask: Callable[[], object], seconds: float, callers: int) -> float:
    """Return the requests per second of so many callers, each asking again once answered."""
    counts = [0] * callers
    began = time.perf_counter()

    def call(caller: int) -> None:
        while time.perf_counter() - began < seconds:
            ask()
            counts[caller] += 1

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
