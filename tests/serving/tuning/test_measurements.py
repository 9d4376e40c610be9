from __future__ import annotations

import pytest

from pawsight_serving.tuning.measurements import Load, Trial, best
from pawsight_serving.tuning.settings import Setting


def trial(pictures_per_s: float, p99_ms: float) -> Trial:
    return Trial(Setting(1, 1, 0), Load(1, pictures_per_s, 1.0, p99_ms))


@pytest.mark.parametrize(
    ("latency_ms", "pictures_per_s"), [(None, 300), (50, 300), (49, 200), (10, 100), (9, None)]
)
def test_the_most_pictures_within_the_target_are_best(
    latency_ms: float | None, pictures_per_s: float | None
) -> None:
    found = best([trial(100, 10), trial(300, 50), trial(200, 20)], latency_ms)
    assert (found and found.load.pictures_per_s) == pictures_per_s


def test_of_nothing_nothing_is_best() -> None:
    assert best([], None) is None
