from __future__ import annotations

import pytest

from pawsight_serving.tuning.built_in_client import summary


def test_what_came_while_warming_up_does_not_count() -> None:
    answers = [(0.5, 9.0), *((1.0 + each / 100, 0.010) for each in range(1, 101))]
    load = summary(answers, 4, begin_s=1.0, end_s=3.0)
    assert (load.callers, load.pictures_per_s) == (4, 50.0)
    assert (load.p50_ms, load.p99_ms) == pytest.approx((10.0, 10.0))


def test_where_nothing_came_in_time_the_latency_is_the_whole_time() -> None:
    load = summary([], 1, begin_s=1.0, end_s=3.0)
    assert load.p99_ms == pytest.approx(2000.0)
