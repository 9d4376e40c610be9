from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from pawsight_serving.explanations.faithfulness import (
    STEPS,
    measure_faithfulness,
    strongest_first,
)
from pawsight_serving.explanations.results import ClassMap, Curve
from tests.serving.explanations.methods.passes import FunctionPasses

# A white square on black, and a model whose only evidence for a dog is white in that place.
IMAGE = np.zeros((20, 20, 3), np.uint8)
IMAGE[:10, :10] = 255
RIGHT, WRONG = np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32)
RIGHT[0, 0] = WRONG[1, 1] = 1.0


def white_is_dog(images: np.ndarray) -> dict[str, np.ndarray]:
    dog = (images[:, :10, :10].mean(axis=(1, 2, 3)) / 255).astype(np.float32)
    return {"probabilities": np.stack([1 - dog, dog], axis=1)}


async def test_a_map_that_is_right_falls_sooner_and_rises_sooner_than_a_wrong_one() -> None:
    passes = FunctionPasses(white_is_dog)
    right, wrong = [
        await measure_faithfulness(
            "hot", IMAGE, ClassMap("conv", "dog", values), ("cat", "dog"), passes
        )
        for values in (RIGHT, WRONG)
    ]
    assert right.deletion.area < wrong.deletion.area - 0.2
    assert right.insertion.area > wrong.insertion.area
    mean = IMAGE.mean() / 255
    assert right.deletion.probabilities[0] == 1.0
    assert right.deletion.probabilities[-1] == pytest.approx(mean, abs=0.01), "nothing is left"
    assert mean < right.insertion.probabilities[0] < 1.0, "of the blurred picture"
    assert right.insertion.probabilities[-1] == 1.0
    assert {len(right.deletion.probabilities), len(right.insertion.probabilities)} == {STEPS + 1}
    assert [count for *_, count in passes.asked] == [32, 10, 32, 10], "in batches"


@pytest.mark.parametrize("size", [(224, 300), (300, 224)])
async def test_pixels_are_put_into_a_picture_that_is_blurred_as_the_papers(
    size: tuple[int, int],
) -> None:
    picture = np.random.default_rng(3).integers(0, 256, (*size, 3), np.uint8)
    seen: list[np.ndarray] = []

    def answer(images: np.ndarray) -> dict[str, np.ndarray]:
        seen.extend(images)
        return {"probabilities": np.full((len(images), 2), 0.5, np.float32)}

    heat = ClassMap("conv", "dog", RIGHT)
    await measure_faithfulness("hot", picture, heat, ("cat", "dog"), FunctionPasses(answer))
    blurred = Image.fromarray(picture).filter(ImageFilter.GaussianBlur(5))
    np.testing.assert_array_equal(seen[STEPS + 1], np.asarray(blurred))
    np.testing.assert_array_equal(seen[-1], picture)


def test_an_area_is_the_trapezoids() -> None:
    assert Curve((1.0, 1.0, 1.0)).area == 1.0
    assert Curve((1.0, 0.5, 0.0)).area == pytest.approx(0.5)
    assert Curve((1.0, 0.0, 0.0)).area == pytest.approx(0.25)


def test_ranks_begin_with_the_strongest_and_ties_go_in_reading_order() -> None:
    ranks = strongest_first(RIGHT, (20, 20))
    assert sorted(ranks.ravel().tolist()) == list(range(400))
    assert ranks[:5, :5].max() < ranks[15:, 15:].min()
    np.testing.assert_array_equal(
        strongest_first(np.ones((2, 2), np.float32), (4, 4)), np.arange(16).reshape(4, 4)
    )
    of_columns = strongest_first(np.array([[1, 0]], np.float32), (30, 20))
    assert (np.diff(of_columns, axis=0) > 0).all()
