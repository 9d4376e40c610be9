from __future__ import annotations

import numpy as np
import pytest

from pawsight_serving.explanations.rendering.grid import draw_grid
from pawsight_serving.explanations.results import ActivationMaps, ChannelMap

CELL, GAP, CAPTION, HEADING = 128, 8, 32, 30


def maps(*values: float) -> ActivationMaps:
    ramp = np.array([[0.5, 1.0], [0.25, 0.0]], np.float32)
    return ActivationMaps(
        "conv1", [ChannelMap(index, ramp * value) for index, value in enumerate(values)]
    )


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(1, 1, 1), (2, 2, 1), (5, 3, 2), (16, 4, 4)]
)
def test_the_sheet_is_nearly_square(count: int, columns: int, rows: int) -> None:
    sheet = draw_grid(maps(*[1.0] * count))
    assert sheet.size == (
        columns * (CELL + GAP) + GAP,
        HEADING + rows * (CELL + CAPTION + GAP) + GAP,
    )


def test_a_dead_channel_is_an_empty_cell() -> None:
    sheet = np.asarray(draw_grid(maps(1.0, 0.0)))
    first = sheet[HEADING : HEADING + CELL, GAP : GAP + CELL]
    second = sheet[HEADING : HEADING + CELL, 2 * GAP + CELL : 2 * GAP + 2 * CELL]
    assert len(np.unique(first.reshape(-1, 3), axis=0)) > 2
    assert len(np.unique(second.reshape(-1, 3), axis=0)) == 1


def test_a_channel_is_told_by_its_number_and_its_figures(written: list[str]) -> None:
    draw_grid(maps(2.0, 0.0, 1234.0))
    assert written[0] == "conv1"
    assert written[1:5] == ["0", "max 2", "mean 0.88", "25% zeros"]
    assert written[5:7] == ["1", "empty"]
    assert written[7:] == ["2", "max 1.23e+03", "mean 540", "25% zeros"]


@pytest.mark.parametrize(
    ("mean", "said"),
    [
        (1234567.0, "1234567"),
        (99.5, "100"),
        (99.25, "99"),
        (0.125, "0.12"),
        (1 / 1024, "0.001"),
        (0.0012345, "0.0012"),
        (1 / 8192, "0.0001"),
    ],
)
def test_a_mean_has_few_characters(written: list[str], mean: float, said: str) -> None:
    draw_grid(ActivationMaps("conv1", [ChannelMap(0, np.full((2, 2), mean, np.float32))]))
    assert written[3] == f"mean {said}"


def test_a_share_of_zeros_is_rounded_down(written: list[str]) -> None:
    values = np.zeros((20, 20), np.float32)
    values[0, 0] = 1
    draw_grid(ActivationMaps("conv1", [ChannelMap(0, values)]))
    assert written[-1] == "99% zeros"


def test_a_map_smaller_than_its_cell_shows_its_own_cells() -> None:
    sheet = np.asarray(draw_grid(maps(1.0)))
    cell = sheet[HEADING : HEADING + CELL, GAP : GAP + CELL]
    assert len(np.unique(cell.reshape(-1, 3), axis=0)) == 4


def test_the_maps_stand_in_their_cells_in_the_order_given() -> None:
    sheet = np.asarray(draw_grid(maps(0.0, 1.0, 1.0, 0.0, 1.0)))
    for index, empty in enumerate([True, False, False, True, False]):
        left = GAP + index % 3 * (CELL + GAP)
        top = HEADING + index // 3 * (CELL + CAPTION + GAP)
        cell = sheet[top : top + CELL, left : left + CELL]
        colours = np.unique(cell.reshape(-1, 3), axis=0)
        assert (len(colours) == 1) is empty
        assert not np.array_equal(cell[0, 0], sheet[0, 0]), "a cell, not the sheet"


def test_a_map_larger_than_its_cell_is_averaged_not_skipped() -> None:
    values = np.zeros((512, 512), np.float32)
    values[1::4, 1::4] = 1.0
    sheet = np.asarray(draw_grid(ActivationMaps("conv1", [ChannelMap(0, values)])))
    cell = sheet[HEADING + 4 : HEADING + CELL - 4, GAP + 4 : GAP + CELL - 4]
    assert len(np.unique(cell.reshape(-1, 3), axis=0)) == 1


@pytest.mark.parametrize("largest", [3e-4, 0.06, 20.0, 4e4, 1e6])
def test_the_mean_and_the_share_of_zeros_stand_apart(largest: float) -> None:
    values = np.zeros((15, 15), np.float32)
    values[0, 0] = largest
    sheet = np.asarray(draw_grid(ActivationMaps("conv1", [ChannelMap(0, values)])))
    line = sheet[HEADING + CELL + 17 : HEADING + CELL + CAPTION - 2, GAP : GAP + CELL]
    inked = np.flatnonzero((line != line[0, 0]).any(axis=(0, 2)))
    # Wider than between two words.
    assert np.diff(inked).max() > 6
