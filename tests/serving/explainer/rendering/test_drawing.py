from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
from PIL import Image

from pawsight_serving.explainer.explanations import (
    ActivationMaps,
    ChannelMap,
    ClassMap,
    Drawing,
    Explanation,
)
from pawsight_serving.explainer.rendering.drawing import Painter
from pawsight_serving.pictures import PictureLimits
from pawsight_serving.predictions import Prediction
from tests.serving.fakes import picture

if TYPE_CHECKING:
    from pawsight_serving.explainer.explanations import Maps

HEAT = ClassMap("conv1", "cat", np.eye(3, dtype=np.float32))
ACTIVATIONS = ActivationMaps("conv1", [ChannelMap(0, np.eye(3, dtype=np.float32))])
CAT = Prediction("cat", 0.75, {"cat": 0.75, "dog": 0.25})


def painter(data: bytes, drawing: Drawing | None = None) -> Painter:
    return Painter(data, drawing or Drawing(), PictureLimits(), 90)


def drawn(data: bytes, maps: Maps, drawing: Drawing | None = None) -> Image.Image:
    (file,) = painter(data, drawing).each([Explanation(maps)])
    return Image.open(io.BytesIO(file))


@pytest.mark.parametrize(
    ("original", "size"),
    [((50, 20), (50, 20)), ((300, 100), (90, 30)), ((100, 300), (30, 90))],
)
def test_an_overlay_has_the_pictures_shape_within_the_bound(
    original: tuple[int, int], size: tuple[int, int]
) -> None:
    assert drawn(picture(size=original), HEAT).size == size


def test_a_picture_on_its_side_is_drawn_upright() -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(file, "JPEG", exif=exif)
    assert drawn(file.getvalue(), HEAT).size == (20, 40)


def test_activation_maps_become_a_grid() -> None:
    assert drawn(picture(size=(50, 20)), ACTIVATIONS).size == (144, 206)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_the_format_is_the_one_asked_for(kind: Literal["PNG", "WEBP"]) -> None:
    assert drawn(picture(), HEAT, Drawing(kind)).format == kind
    (explanation,) = [Explanation(HEAT)]
    sheet = painter(picture(), Drawing(kind, sheet=True)).sheet([explanation], "tiny 1", CAT)
    assert Image.open(io.BytesIO(sheet)).format == kind


def test_colours_and_alpha_are_heeded() -> None:
    usual = np.asarray(drawn(picture("white"), HEAT))
    other = np.asarray(drawn(picture("white"), HEAT, Drawing(colormap="viridis")))
    clear = np.asarray(drawn(picture("white"), HEAT, Drawing(alpha=0)))
    assert not np.array_equal(usual, other)
    assert clear.min() == 255


def test_a_sheet_of_activation_maps_has_every_layer() -> None:
    one = painter(picture(), Drawing(sheet=True)).sheet([Explanation(ACTIVATIONS)], "tiny", CAT)
    two = painter(picture(), Drawing(sheet=True)).sheet([Explanation(ACTIVATIONS)] * 2, "tiny", CAT)
    heights = [Image.open(io.BytesIO(sheet)).height for sheet in (one, two)]
    assert heights == [206, 412]
