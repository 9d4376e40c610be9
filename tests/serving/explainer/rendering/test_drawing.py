from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pawsight_serving.explainer.explanations import ActivationMaps, ChannelMap, GradCamMap
from pawsight_serving.explainer.rendering.drawing import draw_png
from pawsight_serving.pictures import PictureLimits
from tests.serving.fakes import picture

HEAT = GradCamMap("conv1", "cat", np.eye(3, dtype=np.float32))
LIMITS = PictureLimits()


def size_of(drawn: bytes) -> tuple[int, int]:
    opened = Image.open(io.BytesIO(drawn))
    assert opened.format == "PNG"
    return opened.size


@pytest.mark.parametrize(
    ("original", "drawn"),
    [((50, 20), (50, 20)), ((300, 100), (90, 30)), ((100, 300), (30, 90))],
)
def test_an_overlay_has_the_pictures_shape_within_the_bound(
    original: tuple[int, int], drawn: tuple[int, int]
) -> None:
    assert size_of(draw_png(HEAT, picture(size=original), LIMITS, 90)) == drawn


def test_a_picture_on_its_side_is_drawn_upright() -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(file, "JPEG", exif=exif)
    assert size_of(draw_png(HEAT, file.getvalue(), LIMITS, 90)) == (20, 40)


def test_activation_maps_become_a_grid() -> None:
    maps = ActivationMaps("conv1", [ChannelMap(0, np.eye(3, dtype=np.float32))])
    assert size_of(draw_png(maps, picture(size=(50, 20)), LIMITS, 90)) == (144, 162)
