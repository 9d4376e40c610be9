from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Annotation
from PIL import Image

from pawsight_serving.errors import ConfigurationInvalid
from pawsight_serving.tuning.measurements import Load, Trial
from pawsight_serving.tuning.report import HEADER, check_plot, draw, plot, row
from pawsight_serving.tuning.settings import Setting

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.lines import Line2D

TRIALS = [
    Trial(Setting(instances, 8, 500), Load(callers, 100.0 * callers, 1.5, 10.0 * callers))
    for instances in range(1, 8)
    for callers in (1, 4)
]


def points(line: Line2D) -> list[list[float]]:
    found: list[list[float]] = np.asarray(line.get_xydata()).tolist()
    return found


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


# The more instances, the faster; the loads in no order.
RACE = [
    Trial(Setting(instances, 8, 500), Load(callers, 10.0 * instances * callers, 1.5, 9.0 * callers))
    for callers in (4, 1, 2)
    for instances in range(1, 8)
]


def test_each_setting_has_a_way_and_the_five_fastest_have_names() -> None:
    (axes,) = draw("tiny", RACE, None).axes
    *ways, best = axes.lines
    assert [points(way) for way in ways] == [
        [[9.0 * callers, 10.0 * instances * callers] for callers in (1, 2, 4)]
        for instances in range(7, 0, -1)
    ]
    named = [f"{instances} instances, batches to 8, delay 0.5 ms" for instances in range(7, 2, -1)]
    assert axes.get_legend_handles_labels()[1] == [*named, "the best: 280 pictures/s"]
    grey = [to_rgb(way.get_color()) == (0.8, 0.8, 0.8) for way in ways]
    assert grey == [False] * 5 + [True] * 2
    assert min(way.get_zorder() for way in ways[:5]) > max(way.get_zorder() for way in ways[5:])
    assert points(best) == [[36.0, 280.0]]
    assert axes.get_ylim() == pytest.approx((0, 308))
    assert [(text.get_text(), text.xy) for text in axes.texts if isinstance(text, Annotation)] == [
        ("1 caller", (9.0, 70.0)),
        ("2 callers", (18.0, 140.0)),
        ("4 callers", (36.0, 280.0)),
    ]
    said = (axes.get_title(), axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale())
    assert said == ("tiny", "p99 of a request, ms", "pictures/s", "log")


def test_the_best_keeps_to_the_target_which_is_drawn_too() -> None:
    (axes,) = draw("tiny", RACE, 20.0).axes
    *_, target, best = axes.lines
    assert [x for x, _ in points(target)] == [20.0, 20.0]
    assert points(best) == [[18.0, 140.0]]
    assert axes.get_legend_handles_labels()[1][-2:] == ["target 20 ms", "the best: 140 pictures/s"]


def test_where_none_keeps_to_the_target_no_best_is_drawn() -> None:
    (axes,) = draw("tiny", RACE, 5.0).axes
    assert len(axes.lines) == 7 + 1


@pytest.mark.parametrize("name", ["plot.PNG", "plot.pdf", "plot.svg"])
def test_a_plot_may_be_written_into_a_folder_that_is_there(tmp_path: Path, name: str) -> None:
    check_plot(tmp_path / name)
    with pytest.raises(ConfigurationInvalid, match=r"There is no folder .*missing for the plot"):
        check_plot(tmp_path / "missing" / name)


def test_a_plot_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid, match=r"A plot is a file of \.png, \.pdf, \.svg;"):
        check_plot(tmp_path / "plot.txt")
