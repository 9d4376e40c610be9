"""Calibration looks at training pictures, and at no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


import numpy as np
import pytest

from pawsight_export.errors import CalibrationMissing
from pawsight_export.graphs.calibration import calibration_set
from pawsight_training.data.dataset import load_dataset
from pawsight_training.errors import DataInvalid
from tests.drawn_pictures import draw_folder
from tests.export.conftest import SIZE


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return draw_folder(tmp_path / "drawn", {"train": 12, "validation": 3, "test": 3})


def rows(pictures: np.ndarray) -> set[bytes]:
    return {picture.tobytes() for picture in pictures}


def test_it_draws_as_many_training_pictures_of_each_class(folder: Path) -> None:
    drawn = calibration_set(folder, SIZE, "minmax", pictures=10)
    train = load_dataset([folder], SIZE).splits["train"]
    assert drawn.pictures.shape == (10, *SIZE, 3)
    for label in (0, 1):
        ours = rows(train.pictures[train.labels == label])
        assert len(rows(drawn.pictures) & ours) == 5
    assert drawn.summary() == {
        "method": "minmax",
        "pictures": 10,
        "split": "train",
        "seed": 0,
        "data_sha256": train.digest,
    }


def test_the_draw_is_the_same_each_time_and_no_larger_than_the_folder(folder: Path) -> None:
    first, second = (calibration_set(folder, SIZE, "entropy", pictures=999) for _ in range(2))
    np.testing.assert_array_equal(first.pictures, second.pictures)
    assert len(first.pictures) == 24


def test_every_batch_has_pictures_of_all_classes(folder: Path) -> None:
    drawn = calibration_set(folder, SIZE, "entropy").pictures
    train = load_dataset([folder], SIZE).splits["train"]
    cats = rows(train.pictures[train.labels == 0])
    for start in range(0, len(drawn), 8):
        assert 0 < len(rows(drawn[start : start + 8]) & cats) < 8


def test_a_folder_without_training_pictures_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = draw_folder(tmp_path / "drawn", {"test": 2})
    with pytest.raises(DataInvalid, match="train") as refusal:
        calibration_set(folder, SIZE, "minmax")
    assert str(folder) in str(refusal.value)
    assert "--calibration" in str(refusal.value)


def test_the_flag_of_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CalibrationMissing, match=r"no folder .*nowhere; .* --calibration"):
        calibration_set(tmp_path / "nowhere", SIZE, "minmax")
