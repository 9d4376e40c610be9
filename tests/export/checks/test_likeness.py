from __future__ import annotations

import numpy as np
import pytest

from pawsight_export.checks.likeness import correlation, overlap, rank_correlation

RAMP = np.arange(12, dtype=np.float32).reshape(3, 4)
EMPTY = np.zeros((3, 4), np.float32)


def test_a_map_is_like_itself_and_unlike_its_opposite() -> None:
    for measure in (correlation, rank_correlation):
        assert measure(RAMP, RAMP) == pytest.approx(1)
        assert measure(RAMP, 5 * RAMP + 3) == pytest.approx(1)
        assert measure(RAMP, -RAMP) == pytest.approx(-1)
        assert measure(RAMP / 1e6, RAMP) == pytest.approx(1), "however weak it is"


def test_ranks_see_the_order_alone() -> None:
    assert rank_correlation(RAMP, RAMP**3) == pytest.approx(1)
    assert correlation(RAMP, RAMP**3) < 0.95


def test_equal_values_share_their_rank() -> None:
    steps = np.array([0, 0, 0, 1, 2], np.float32)
    assert rank_correlation(steps, np.array([0, 1, 2, 3, 4], np.float32)) == pytest.approx(
        np.corrcoef([2, 2, 2, 4, 5], [1, 2, 3, 4, 5])[0, 1]
    )


def test_a_constant_map_has_no_order_that_another_could_share() -> None:
    for level in (0, 1):
        assert rank_correlation(np.full_like(RAMP, level), RAMP) == 0
        assert rank_correlation(np.full_like(RAMP, level), EMPTY) == 1


def test_two_empty_maps_agree_and_an_empty_one_agrees_with_no_other() -> None:
    assert correlation(EMPTY, EMPTY) == 1
    assert correlation(EMPTY, RAMP) == 0


def test_the_strongest_fifths_overlap_and_no_weaker_places_count() -> None:
    one = np.arange(20, dtype=np.float32).reshape(4, 5)
    other = one.copy()
    other[3, 1:3] = 0  # the third and fourth strongest of one
    assert overlap(one, other) == 0.5
    assert overlap(one, -one) == 0


def test_of_a_small_map_one_place_is_the_strongest() -> None:
    small = np.array([[0, 1]], np.float32)
    assert overlap(small, small) == 1
    assert overlap(small, -small) == 0


def test_a_flat_map_agrees_with_flat_ones_alone() -> None:
    flat, slope = np.ones((3, 3), np.float32), np.arange(9, dtype=np.float32).reshape(3, 3)
    assert correlation(flat, flat / 2) == 1
    assert correlation(flat, slope) == 0
    assert overlap(slope, slope * 3) == 1
