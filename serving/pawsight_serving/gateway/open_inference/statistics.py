"""Counts and times the executions of each graph for callers of this gateway, all its processes."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pawsight_serving.gateway.open_inference.shared_figures import SharedFigures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(slots=True)
class Duration:
    """A number of calls, and their total time in nanoseconds."""

    count: int = 0
    ns: int = 0


@dataclass(slots=True)
class GraphStatistics:
    """One graph's executions; `last_ms` is when the last one ended, by the epoch."""

    success: Duration = field(default_factory=Duration)
    fail: Duration = field(default_factory=Duration)
    pictures: int = 0
    last_ms: int = 0

    def figures(self) -> tuple[int, ...]:
        """Return all of it in one row."""
        success, fail = self.success, self.fail
        return (success.count, success.ns, fail.count, fail.ns, self.pictures, self.last_ms)

    @classmethod
    def together(cls, rows: Iterable[tuple[int, ...]]) -> GraphStatistics:
        """Return what several rows amount to."""
        successes, success_ns, fails, fail_ns, pictures, last_ms = zip(*rows, strict=True)
        return cls(
            Duration(sum(successes), sum(success_ns)),
            Duration(sum(fails), sum(fail_ns)),
            sum(pictures),
            max(last_ms),
        )


class Statistics:
    """Counts and times executions, by graph and version.

    Args:
        shared: where the processes of this gateway count together; without it there is one.
    """

    def __init__(self, shared: SharedFigures | None = None) -> None:
        self._shared = shared
        self._graphs: dict[tuple[str, str], GraphStatistics] = {}

    @classmethod
    def of_this_gateway(cls) -> Statistics:
        """Return statistics that all processes of this gateway count together."""
        return cls(SharedFigures.of_this_gateway(len(GraphStatistics().figures())))

    def of(self, graph: str, version: str) -> GraphStatistics:
        """Return one graph's statistics; zeros where it has not run yet."""
        own = self._own(graph, version)
        if self._shared is None:
            return own
        others = self._shared.of_others(_key(graph, version))
        return GraphStatistics.together((own.figures(), *others))

    @contextmanager
    def execution(self, graph: str, version: str, pictures: int) -> Iterator[None]:
        """Time the body as one execution on so many pictures."""
        statistics, started_ns = self._own(graph, version), time.perf_counter_ns()
        outcome = statistics.fail
        try:
            yield
            outcome = statistics.success
            statistics.pictures += pictures
            statistics.last_ms = time.time_ns() // 1_000_000
        finally:
            outcome.count += 1
            outcome.ns += time.perf_counter_ns() - started_ns
            if self._shared is not None:
                self._shared.write(_key(graph, version), statistics.figures())

    def _own(self, graph: str, version: str) -> GraphStatistics:
        return self._graphs.setdefault((graph, version), GraphStatistics())


def _key(graph: str, version: str) -> str:
    return f"{graph}/{version}"
