from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pawsight_serving.errors import ImageInvalid
from pawsight_training.data.preparation.fingerprints import NEAR, fingerprint, near_pairs
from tests.photographs import cat_jpeg
from tests.training.data.preparation.patchwork import patchwork


def saved(picture: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def correlation(one: bytes, other: bytes) -> float:
    return float(fingerprint(one)[1] @ fingerprint(other)[1])


def test_a_copy_that_was_scaled_or_compressed_again_looks_the_same() -> None:
    original = cat_jpeg()
    picture = Image.open(io.BytesIO(original))
    for copy in (
        saved(picture, 20),
        saved(picture.resize((160, 160)), 80),
        saved(picture.crop((4, 4, 445, 296)), 90),
    ):
        assert fingerprint(copy)[0] != fingerprint(original)[0]
        assert correlation(original, copy) >= NEAR


def test_other_pictures_look_different() -> None:
    pictures = [cat_jpeg(), *(patchwork(seed) for seed in range(3))]
    for index, one in enumerate(pictures):
        assert all(correlation(one, other) < NEAR for other in pictures[:index])


def test_even_pictures_are_not_near_anything() -> None:
    white, grey = (saved(Image.new("RGB", (40, 40), colour), 90) for colour in ("white", "grey"))
    assert correlation(white, grey) == correlation(white, white) == 0


def test_what_is_no_picture_has_no_fingerprint() -> None:
    with pytest.raises(ImageInvalid):
        fingerprint(b"no picture")


def test_each_near_pair_is_found_once_across_blocks() -> None:
    looks = np.random.default_rng(0).normal(size=(1200, 768)).astype(np.float32)
    looks[700] = looks[3] + 0.1 * looks[4]
    looks[1100] = looks[1099]
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    assert list(near_pairs(looks)) == [(3, 700), (1099, 1100)]
