from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pawsight_export.explain_check.checked_model import CheckedModel
from pawsight_export.explain_check.pointing import make_grids, measure_pointing
from tests.serving.fakes import manifest

if TYPE_CHECKING:
    import pytest
    from numpy.typing import NDArray

# Red is dog, blue is cat.
PICTURES = np.zeros((8, 12, 16, 3), np.uint8)
LABELS = np.array([0, 1] * 4)
PICTURES[LABELS == 1, ..., 0] = 255
PICTURES[LABELS == 0, ..., 2] = 255
SUBJECT = CheckedModel(Path(), manifest())


def test_each_grid_has_two_of_each_on_its_diagonals() -> None:
    grids, owners = make_grids(PICTURES, LABELS, (0, 1))
    assert grids.shape == (2, 12, 16, 3)
    assert owners.tolist() == [[[0, 1], [1, 0]], [[1, 0], [0, 1]]]
    for grid, cells in zip(grids, owners, strict=True):
        for (y, x), owner in np.ndenumerate(cells):
            cell = grid[y * 6 : y * 6 + 6, x * 8 : x * 8 + 8]
            assert (cell[..., 0 if owner else 2] == 255).all()


def test_of_the_class_with_more_pictures_some_are_left() -> None:
    for more in (LABELS == 0, LABELS == 1):
        fewer = more | (np.arange(8) < 4)
        grids, owners = make_grids(PICTURES[fewer], LABELS[fewer], (0, 1))
        assert grids.shape[0] == owners.shape[0] == 1


def pointing(monkeypatch: pytest.MonkeyPatch, *, towards: int) -> dict[str, float]:
    def maps(checked: CheckedModel, method: str, grids: NDArray[np.uint8]) -> NDArray[Any]:
        red, blue = grids[..., 0] / 255.0, grids[..., 2] / 255.0
        right = np.stack([blue, red], axis=1).astype(np.float32)
        return right if towards > 0 else right[:, ::-1] if towards < 0 else np.zeros_like(right)

    monkeypatch.setattr(CheckedModel, "maps", maps)
    return measure_pointing(SUBJECT, "grad-cam", *make_grids(PICTURES, LABELS, (0, 1)))


def test_maps_that_point_right_wrong_and_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    right = pointing(monkeypatch, towards=1)
    assert right["evidence on its own"] > 0.9
    assert (right["peak on its own"], right["empty"]) == (1, 0)
    wrong = pointing(monkeypatch, towards=-1)
    assert wrong["evidence on its own"] < 0.1
    assert wrong["peak on its own"] == 0
    assert pointing(monkeypatch, towards=0)["empty"] == 1
