from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from pawsight_serving.rpc.callers_deadlines import callers_deadline

if TYPE_CHECKING:
    from grpc.aio import ServicerContext


class Began:
    def __init__(self, remaining_s: float | None) -> None:
        self.remaining_s = remaining_s

    def time_remaining(self) -> float | None:
        return self.remaining_s


def at_s(monkeypatch: pytest.MonkeyPatch, now_s: float) -> None:
    monkeypatch.setattr("time.monotonic", lambda: now_s)


# What gRPC sends of these timeouts is 101 ms, 1.24 s, 12.4 s and 124 s.
@pytest.mark.parametrize(
    ("callers_s", "remaining_s"), [(0.1001, 0.101), (1.2305, 1.24), (12.31, 12.4), (123.1, 124.0)]
)
def test_a_callers_deadline_passes_before_the_rounded_one(
    callers_s: float, remaining_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_s(monkeypatch, 1000.0)
    deadline = callers_deadline(cast("ServicerContext[Any, Any]", Began(remaining_s)))
    at_s(monkeypatch, 1000.0 + callers_s * 0.97 - 0.02)
    assert not deadline.passed()
    at_s(monkeypatch, 1000.0 + callers_s)
    assert deadline.passed()


def test_a_caller_without_a_deadline_leaves_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    deadline = callers_deadline(cast("ServicerContext[Any, Any]", Began(None)))
    at_s(monkeypatch, 1e12)
    assert not deadline.passed()
