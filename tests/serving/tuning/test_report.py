from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pawsight_serving.tuning.measurements import Load, Trial
from pawsight_serving.tuning.report import HEADER, plot, row
from pawsight_serving.tuning.settings import Setting

if TYPE_CHECKING:
    from pathlib import Path

TRIALS = [
    Trial(Setting(instances, 8, 500), Load(callers, 100.0 * callers, 1.5, 10.0 * callers))
    for instances in range(1, 8)
    for callers in (1, 4)
]


def test_a_row_stands_under_its_header() -> None:
    line = row(TRIALS[1])
    assert len(line) == len(HEADER)
    assert line.split() == ["1", "8", "0.5", "4", "400.0", "1.5", "40.0"]


def test_the_plot_is_a_picture_with_something_in_it(tmp_path: Path) -> None:
    path = tmp_path / "plot.png"
    plot(path, "tiny", TRIALS, 30.0)
    with Image.open(path) as picture:
        assert picture.size == (1080, 660)
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 50
