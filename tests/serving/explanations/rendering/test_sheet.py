from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pawsight_serving.explanations.rendering.sheet import draw_sheet
from pawsight_serving.explanations.results import ClassMap, Explanation
from pawsight_serving.predictions import Prediction

CAT = Prediction("cat", 0.75, {"cat": 0.75, "dog": 0.25})
GREY = Image.new("RGB", (300, 200), (128, 128, 128))
GROUND = (22, 22, 26)
EMPTY = (38, 38, 44)


def sheet(
    maps: list[ClassMap], picture: Image.Image = GREY, heading: str = "tiny 1, grad-cam"
) -> Image.Image:
    explanations = [Explanation(each, 0.75) for each in maps]
    return draw_sheet(picture, explanations, maps, heading, CAT, alpha=0.75, colormap="inferno")


def heat(target: str = "cat", layer: str = "conv1", value: float = 1.0) -> ClassMap:
    return ClassMap(layer, target, np.eye(4, dtype=np.float32) * np.float32(value))


def images_in(drawn: Image.Image) -> int:
    """Count the columns of cells: runs of pixels that are not ground, across a row in a cell."""
    row = np.asarray(drawn)[60].astype(int)
    inside = np.abs(row - GROUND).sum(axis=1) > 0
    return int((np.diff(inside.astype(int)) == 1).sum())


def test_one_map_stands_between_its_picture_and_its_overlay() -> None:
    drawn = sheet([heat()])
    assert images_in(drawn) == 3
    assert drawn.width == 3 * 360 + 4 * 14


@pytest.mark.parametrize(
    ("layers", "targets", "columns"), [(2, 1, 3), (13, 1, 4), (1, 2, 3), (4, 2, 2), (13, 2, 4)]
)
def test_several_maps_follow_their_picture(layers: int, targets: int, columns: int) -> None:
    maps = [
        heat(target, f"conv{number}")
        for number in range(layers)
        for target in ("cat", "dog")[:targets]
    ]
    drawn = sheet(maps)
    assert drawn.width == columns * (220 + 14) + 14
    assert images_in(drawn) == (1 if layers > 1 < targets else columns), "a class has its column"


def test_a_cell_without_evidence_is_empty() -> None:
    drawn = np.asarray(sheet([heat(value=0.0)]))
    assert (drawn == EMPTY).all(axis=2).sum() > 2 * 360 * 200


def test_the_picture_keeps_its_aspect() -> None:
    tall = sheet([heat()], Image.new("RGB", (100, 400), "white"))
    white = (np.asarray(tall) == 255).all(axis=2)
    assert white.sum(axis=0).max() >= 360
    assert tall.width == 3 * 150 + 4 * 14


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (100, 400)])
def test_no_caption_reaches_into_the_next_cell(size: tuple[int, int]) -> None:
    names = ("cat", "Nova Scotia duck tolling retriever of the eastern coast")
    maps = [heat(target, "block5_conv3", 0.0) for target in names]
    drawn = np.asarray(sheet(maps, Image.new("RGB", size, "white")))
    columns = 3
    step = (drawn.shape[1] - 14) // columns
    for number in range(columns + 1):
        gap = drawn[40:, number * step + 2 : number * step + 14]
        assert (gap == GROUND).all(), f"something is drawn in the gap before column {number}"


def test_a_long_heading_ends_on_the_sheet() -> None:
    drawn = np.asarray(sheet([heat()], heading="a model whose name has no end " * 9))
    assert (drawn[:40, -14:] == GROUND).all()


def test_of_a_long_caption_both_ends_are_kept() -> None:
    one, other, third = (
        np.asarray(sheet([heat(f"{'long ' * 30}{middle}{' long' * 30} {end}")]))
        for middle, end in (("eastern", "cat"), ("western", "cat"), ("western", "dog"))
    )
    assert (one == other).all()
    assert (other != third).any()


def test_an_empty_cell_says_so() -> None:
    drawn = np.asarray(sheet([heat(value=0.0)]))
    # In the middle of the second cell, past the picture.
    said = drawn[40 + 100 : 40 + 140, 14 + 374 + 100 : 14 + 374 + 260]
    assert (said.max(axis=2) > 120).any()


@pytest.mark.parametrize("size", [(4000, 100), (100, 4000)])
def test_an_empty_cell_that_is_too_small_for_words_has_none(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, "white")
    drawn = np.asarray(sheet([heat(value=0.0)], picture))
    height, width = 360 * size[1] // 4000, 360 * size[0] // 4000
    middle = 14 + max(width, 150) + 14
    assert (drawn[40 : 40 + height, middle : middle + width] == EMPTY).all()


def test_classes_of_other_alphabets_are_no_boxes() -> None:
    cat, dog = (sheet([heat(target)]) for target in ("кот", "пёс"))
    assert cat != dog
    cat, dog = (sheet([heat("cat")], heading=heading) for heading in ("кот", "пёс"))
    assert cat != dog
