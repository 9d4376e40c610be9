from __future__ import annotations

import numpy as np
import pytest

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explanations.methods.registry import find_method
from pawsight_serving.explanations.methods.smooth_grad import noisy_copies
from pawsight_serving.explanations.queries import Query
from pawsight_serving.explanations.results import ClassMap
from tests.serving.explanations.methods.passes import FunctionPasses
from tests.serving.fakes import SIDE, manifest


def pixels(images: np.ndarray) -> dict[str, np.ndarray]:
    """Answer with the pixels as their gradient, beside which a second logit has none."""
    gradient = images.transpose(0, 3, 1, 2).astype(np.float32)
    return {
        "probabilities": np.full((len(images), 2), 0.5, np.float32),
        "gradient:input": np.stack([np.zeros_like(gradient), gradient], axis=1),
    }


@pytest.mark.parametrize(("samples", "batches"), [(0, [8, 8, 8]), (3, [3]), (17, [8, 8, 1])])
async def test_the_map_is_of_the_mean_over_all_copies(samples: int, batches: list[int]) -> None:
    query = Query(method="smoothgrad", samples=samples, seed=5, target="dog")
    _, method = find_method(manifest(), query)
    images = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
    passes = FunctionPasses(pixels)
    found = await method.explain(images, passes)
    probabilities, gradients = (
        [count for _, outputs, count in passes.asked if outputs == (name,)]
        for name in ("probabilities", "gradient:input")
    )
    assert probabilities == [2]
    assert gradients == 2 * batches
    for image, (each,) in zip(images, found.maps, strict=True):
        chance = np.random.default_rng(5)
        copies = np.concatenate([noisy_copies(image, count, chance) for count in batches])
        assert isinstance(each, ClassMap)
        np.testing.assert_allclose(each.values, copies.mean(axis=0).max(axis=-1), rtol=1e-6)


def test_at_most_256_copies_are_made() -> None:
    find_method(manifest(), Query(method="smoothgrad", samples=256))
    with pytest.raises(OptionInvalid, match="at most 256"):
        find_method(manifest(), Query(method="smoothgrad", samples=257))


def test_the_noise_deviates_by_15_percent_of_the_pictures_range() -> None:
    image = np.full((64, 64, 3), 110, np.uint8)
    image[:2], image[2:4] = 100, 140
    noise = noisy_copies(image, 8, np.random.default_rng(0)).astype(float) - image
    assert noise.std() == pytest.approx(0.15 * 40, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.1)
    assert noise[0].tolist() != noise[1].tolist(), "each copy has its own"


def test_noise_leaves_black_dark_and_white_bright() -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    image[8:] = 255
    noisy = noisy_copies(image, 4, np.random.default_rng(0))
    # What would be below black is black, and no number of a byte that has run over.
    assert noisy[:, :8].min() == 0
    assert noisy[:, :8].max() < 200
    assert noisy[:, 8:].max() == 255
    assert noisy[:, 8:].min() > 55
