from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pawsight_serving.explanations.rendering.png import encode_png


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (64, 48), (301, 199), (3, 1025)])
def test_every_pixel_comes_back(size: tuple[int, int]) -> None:
    width, height = size
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    with Image.open(io.BytesIO(encode_png(Image.fromarray(noise)))) as read:
        # Pillow checks each chunk's sum.
        read.verify()
    with Image.open(io.BytesIO(encode_png(Image.fromarray(noise)))) as read:
        assert (read.format, read.mode, read.size) == ("PNG", "RGB", size)
        assert np.array_equal(np.asarray(read), noise)


def test_a_photograph_takes_less_than_its_pixels() -> None:
    smooth = Image.linear_gradient("L").resize((300, 200)).convert("RGB")
    assert len(encode_png(smooth)) < 300 * 200 * 3 / 4
