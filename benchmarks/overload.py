"""Twice the capacity for minutes: the goodput, what the accepted wait, what the refused wait.

    python -m benchmarks.overload [--model cats_dogs_vgg16] [--minutes 30] [--protocol grpc]

The capacity is measured by eight callers that wait for their answers, before each minute and after
the last, as machines change their speed. For that minute requests come at twice the rate whether or
not they are answered; a time counts from when a request was due. The bars, of which each miss is
named and makes the exit status 1: goodput at least 0.9 of the capacity before and after, p99 of the
accepted under `--deadline`, the refused answered within 50 ms, memory flat.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.served import draw, gateway, load

GOODPUT = 0.9
REFUSED_MS = 50.0
GROWTH_MIB = 32.0
CAPACITY_CALLERS = 8
CAPACITY_S = 10.0
OVERLOAD_CALLERS = 512


def main() -> None:
    """Measure, and say which bars were missed."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--model", default="cats_dogs_vgg16")
    arguments.add_argument("--repository", default="model_repository")
    arguments.add_argument("--picture", type=Path, help="a JPEG; one is drawn otherwise")
    arguments.add_argument("--protocol", choices=("grpc", "http"), default="grpc")
    arguments.add_argument("--minutes", type=float, default=30)
    arguments.add_argument("--deadline", type=float, default=2, help="seconds")
    arguments.add_argument("--options", default="", help="more options of `pawsight serve`")
    options = arguments.parse_args()

    with (
        tempfile.TemporaryDirectory() as folder,
        gateway("--repository", options.repository, *options.options.split()) as served,
    ):
        picture = options.picture or draw(Path(folder) / "drawn.jpg")
        ask = partial(
            load, served, options.protocol, picture, options.model, timeout=options.deadline
        )

        def capacity() -> float:
            per_s: float = ask(callers=CAPACITY_CALLERS, seconds=CAPACITY_S)["per_s"]
            return per_s

        before = capacity()
        print(f"capacity {before:.1f} pictures/s, {served.memory_mib():.0f} MiB", flush=True)
        misses: list[str] = []
        weight = answered = could = 0.0
        parts = max(1, round(options.minutes))
        for part in range(parts):
            seconds = options.minutes * 60 / parts
            seen = ask(callers=OVERLOAD_CALLERS, seconds=seconds, rate=2 * before)
            now = served.memory_mib()
            after = capacity()
            goodput = 2 * seen["per_s"] / (before + after)
            answered, could = answered + 2 * seen["per_s"], could + before + after
            weight = weight or now
            print(
                f"part {part + 1}: goodput {goodput:.2f} of {before:.1f} and {after:.1f}, "
                f"p99 {seen['p99_ms']:.0f} ms; refused "
                f"{seen['refused_per_s']:.0f}/s, p99 {seen['refused_p99_ms']:.0f} ms; "
                f"{now:.0f} MiB; {seen['codes']}",
                flush=True,
            )
            before = after
            missed = missed_bars(seen, goodput, now - weight, options.deadline * 1e3)
            if served.process.poll() is not None:
                missed.append("the gateway has ended")
            misses += [f"part {part + 1}: {what}" for what in missed]
    print(f"goodput over all parts: {answered / could:.2f}")
    print("\n".join(misses) or "every bar was met")
    sys.exit(bool(misses))


def missed_bars(
    seen: dict[str, Any], goodput: float, grown_mib: float, deadline_ms: float
) -> list[str]:
    """Return which bars a minute has missed, and by what."""
    bars = (
        (goodput < GOODPUT, f"goodput {goodput:.2f}"),
        (seen["p99_ms"] > deadline_ms, f"p99 {seen['p99_ms']:.0f} ms"),
        (seen["refused_p99_ms"] > REFUSED_MS, f"refused {seen['refused_p99_ms']:.0f} ms"),
        (grown_mib > GROWTH_MIB, f"grown by {grown_mib:.0f} MiB"),
    )
    return [what for missed, what in bars if missed]


if __name__ == "__main__":
    main()
