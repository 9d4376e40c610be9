"""Rates of several contenders in one run: in turns, so that a noisy machine is noisy for all."""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Contender = Callable[[], int]
    """Does some work and returns how many pictures that were."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Pictures a second: the median of the rounds, the slowest and the fastest."""

    median: float
    least: float
    most: float

    @property
    def ms_a_picture(self) -> float:
        """Milliseconds that a picture took."""
        return 1e3 / self.median


def measure(contenders: Mapping[str, Contender], seconds: float, rounds: int) -> dict[str, Rate]:
    """Return each contender's rate over so many rounds, in each of which every one has its turn.

    Args:
        contenders: by name; each has been called once before.
        seconds: that a turn takes at least; one call is never cut short.
        rounds: how many turns each has.
    """
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            pictures, started_s = 0, time.perf_counter()
            while (taken_s := time.perf_counter() - started_s) < seconds:
                pictures += contender()
            rates[name].append(pictures / taken_s)
    return {
        name: Rate(statistics.median(each), min(each), max(each)) for name, each in rates.items()
    }


def in_threads(contender: Contender, threads: int, calls: int) -> Contender:
    """Return a contender that is several threads, each of which calls another one so often."""

    def call() -> int:
        counts: list[int] = []

        def work() -> None:
            counts.extend(contender() for _ in range(calls))

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return sum(counts)

    return call
