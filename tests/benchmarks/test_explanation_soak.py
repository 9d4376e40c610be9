"""A few hundred of the soak's requests, on the shipped models."""

from __future__ import annotations

from pathlib import Path

from benchmarks.explanation_soak import State, growth, soak
from benchmarks.served import gateway

REPOSITORY = Path(__file__).parent.parent.parent / "model_repository"


async def test_nothing_grows_over_mixed_broken_and_cancelled_explanations() -> None:
    with gateway("--repository", str(REPOSITORY)) as served:
        states = await soak(served, "cats_dogs_scratch", 200, print)
    # Allocators are still filling up after so few: what leaks a picture a request is far more.
    assert [sentence for sentence in growth(states) if "memory" not in sentence] == []
    for name in ("gateway", "sidecar"):
        assert states[-1][name].memory_mib < 1.5 * states[2][name].memory_mib


def test_growth_is_told() -> None:
    even = [{"gateway": State(100, 10, 8, 5)}] * 10
    assert growth(even) == []
    assert growth([*even, {"gateway": State(120, 30, 20, 50)}]) == [
        "gateway: memory has grown to 120 MiB",
        "gateway: 30 files are open",
        "gateway: 20 threads run",
        "gateway: 50 tasks are not done",
    ]
