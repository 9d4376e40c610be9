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


def wanted() -> None:
    """Say that the sheet is wanted."""


def sheet(
    maps: list[ClassMap], picture: Image.Image = GREY, heading: str = "tiny 1, grad-cam"
) -> Image.Image:
    explanations = [Explanation(each, 0.75) for each in maps]
    return draw_sheet(
        picture, explanations, maps, heading, CAT, alpha=0.75, colormap="inferno", check=wanted
    )


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


@pytest.mark.parametrize(
    ("layers", "targets", "columns"),
    [(3, 1, 4), (4, 1, 2), (5, 2, 2), (6, 2, 4), (2, 4, 4), (6, 3, 3), (1, 4, 2), (2, 5, 4)],
)
def test_a_sheet_is_no_wider_than_a_page(layers: int, targets: int, columns: int) -> None:
    names = "abcde"[:targets]
    drawn = sheet([heat(target, f"conv{number}") for number in range(layers) for target in names])
    assert drawn.width == columns * (220 + 14) + 14
    by_class = layers > 1 and 1 < targets <= 4
    assert images_in(drawn) == (1 if by_class else columns)


def test_of_one_map_everything_is_said(written: list[str]) -> None:
    sheet([heat()])
    scale = ["0", "0.5", "1"]
    said = ["tiny 1, grad-cam", "cat 75.0%", "conv1, 4 x 4", "evidence for cat 75.0%"]
    assert written == [*scale, *said]


def test_of_several_maps_each_is_said_with_its_layer(written: list[str]) -> None:
    sheet([heat("cat", "conv1"), heat("dog", "conv2", 0.0)])
    said = ["tiny 1, grad-cam", "cat 75.0%", "conv1: cat 75.0%", "conv2: none for dog 75.0%"]
    assert written == ["0", "0.5", "1", "no evidence", *said]


def test_what_is_no_evidence_is_said_twice(written: list[str]) -> None:
    sheet([heat(value=0.0)])
    said = ["cat 75.0%", "conv1, 4 x 4", "no evidence for cat 75.0%"]
    assert written == ["no evidence", "tiny 1, grad-cam", *said]


def test_a_probability_that_there_is_not_is_not_said(written: list[str]) -> None:
    explanation, found = Explanation(heat()), heat()
    draw_sheet(GREY, [explanation], [found], "", CAT, alpha=0.75, colormap="inferno", check=wanted)
    assert written[-1] == "evidence for cat"


def test_the_scale_stands_below_each_map_and_not_below_the_picture() -> None:
    drawn = np.asarray(sheet([heat()])).astype(int)
    below = 40 + 240 + 22
    for number, scaled in enumerate([False, True, True]):
        left = 14 + number * (360 + 14)
        band = drawn[below : below + 8, left : left + 360]
        assert (np.abs(band - GROUND).sum(axis=2) > 0).any() == scaled


@pytest.mark.parametrize(("side", "colours"), [(4, 2), (720, 1)])
def test_of_the_map_alone_the_cells_are_seen_or_averaged(side: int, colours: int) -> None:
    values = (np.indices((side, side)).sum(axis=0) % 2).astype(np.float32)
    square = Image.new("RGB", (200, 200), "white")
    drawn = np.asarray(sheet([ClassMap("conv1", "cat", values)], square))
    bare = drawn[40 : 40 + 360, 14 + 374 : 14 + 374 + 360]
    assert len(np.unique(bare.reshape(-1, 3), axis=0)) == colours


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
