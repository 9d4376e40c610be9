from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pawsight_serving.explanations.rendering.label import draw_label


@pytest.mark.parametrize("size", [(500, 375), (60, 200), (2000, 30), (1, 1)])
def test_the_text_stands_below_the_picture(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, "red")
    labelled = draw_label(picture, "no evidence for dog in block5_conv3")
    assert labelled.width == picture.width
    np.testing.assert_array_equal(np.asarray(labelled)[: size[1]], np.asarray(picture))
    if size[0] > 200:
        strip = np.asarray(labelled.convert("L"))[size[1] :]
        assert strip.max() > 200
        assert strip[:, [0, -1]].max() == 0, "the text fits between the edges"


def test_a_long_name_without_a_space_goes_on_in_the_next_line() -> None:
    picture = Image.new("RGB", (240, 50), "red")
    labelled = draw_label(picture, f"no evidence for {'a_class_with_a_long_name_' * 3} in conv3")
    strip = np.asarray(labelled.convert("L"))[50:]
    assert strip.max() > 200
    assert strip[:, [0, -1]].max() == 0, "the text fits between the edges"


def test_other_alphabets_are_no_boxes() -> None:
    picture = Image.new("RGB", (200, 50))
    assert draw_label(picture, "кот") != draw_label(picture, "пёс")


def test_a_line_is_broken_between_words_and_within_one_that_is_wider(written: list[str]) -> None:
    narrow = Image.new("RGB", (60, 40))
    draw_label(narrow, "a cat and a dog")
    assert len(written) > 1
    assert " ".join(written) == "a cat and a dog"
    written.clear()
    draw_label(narrow, "unpronounceable")
    assert len(written) > 1
    assert "".join(written) == "unpronounceable"
    assert all(written)
