from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pawsight_serving.explanations.methods.registry import find_method
from pawsight_serving.explanations.queries import Query
from pawsight_serving.explanations.results import ClassMap
from pawsight_serving.repository.manifest import Layer
from tests.serving.explanations.methods.passes import FunctionPasses
from tests.serving.fakes import manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]


def hires_cam(activations: Values, gradients: Values) -> Values:
    total: Values = (activations * gradients).sum(axis=0)
    return total


def layer_cam(activations: Values, gradients: Values) -> Values:
    total: Values = (activations * np.maximum(gradients, 0)).sum(axis=0)
    return total


def grad_cam_plus_plus(activations: Values, gradients: Values) -> Values:
    positive = np.maximum(gradients, 0)
    sums = activations.sum(axis=(1, 2), keepdims=True)
    shares = positive**2 / (2 * positive**2 + sums * positive**3 + 1e-6)
    weights = (shares * positive).sum(axis=(1, 2), keepdims=True)
    total: Values = (weights * activations).sum(axis=0)
    return total


PAPERS = {"hirescam": hires_cam, "layercam": layer_cam, "grad-cam++": grad_cam_plus_plus}


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.parametrize("logits", [1, 2])
@pytest.mark.parametrize("shape", [(300, 17, 15), (5, 190, 180)])
async def test_every_channel_of_a_layer_counts_once(
    name: str, logits: int, shape: tuple[int, int, int]
) -> None:
    channels, height, width = shape
    layer = Layer(name="conv1", kind="conv", channels=channels, height=height, width=width)
    model = manifest().model_copy(update={"layers": (layer,)})
    _, method = find_method(model, Query(method=name, target="all"))
    random = np.random.default_rng(0)
    activations = np.maximum(random.standard_normal((2, *shape), np.float32), 0)
    gradients = random.standard_normal((2, logits, *shape), np.float32)
    passes = FunctionPasses(
        lambda images: {
            "probabilities": np.full((len(images), 2), 0.5, np.float32),
            "activation:conv1": activations,
            "gradient:conv1": gradients,
        }
    )
    found = await method.explain(np.zeros((2, 8, 8, 3), np.uint8), passes)
    for picture, maps in enumerate(found.maps):
        of_logits = gradients[picture].astype(np.float64)
        of_classes = of_logits if logits == 2 else (-of_logits[0], of_logits[0])
        expected = [PAPERS[name](activations[picture].astype(np.float64), g) for g in of_classes]
        for each, wanted in zip(maps, expected, strict=True):
            assert isinstance(each, ClassMap)
            assert each.values.dtype == np.float32
            np.testing.assert_allclose(
                each.values, np.maximum(wanted, 0), rtol=0, atol=1e-6 * wanted.max()
            )


def test_the_outputs_and_the_maps_of_every_class_are_foreseen() -> None:
    _, method = find_method(manifest(), Query(method="layercam", layer="conv1", target="all"))
    assert method.values_per_picture == 2 * (20 * 4 * 4) + 2 * (4 * 4)
