"""The sidecar's methods over both graphs, still in PyTorch, against Captum and the papers.

Of a trained net (scratch, as shipped) and of a deep one (VGG16, random weights); on real pictures
of the VGG16 that is shipped, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import torch
from captum.attr import LayerGradCam, LayerGradientXActivation, Occlusion, Saliency
from onnx import numpy_helper
from torch import Tensor

from pawsight_export.graphs.graphs import ExplainGraph, HotGraph
from pawsight_serving.explanations.methods import occlusion, rise, smooth_grad
from pawsight_serving.explanations.methods.masking import mean_colour
from pawsight_serving.explanations.methods.registry import find_method
from pawsight_serving.explanations.queries import Query
from pawsight_serving.explanations.results import ActivationMaps, ClassMap
from pawsight_serving.pictures.reading import decode_picture
from pawsight_serving.repository.manifest import Graph, Layer, Manifest
from pawsight_training.architectures import ConvNet, build
from pawsight_training.runs.run import load_run
from tests.drawn_pictures import jpeg
from tests.photographs import cat_jpeg
from tests.serving import fakes
from tests.serving.explanations.methods.passes import FunctionPasses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Values = NDArray[np.float32]

PROJECT = Path(__file__).parent.parent.parent
SHIPPED = PROJECT / "model_repository" / "cats_dogs_scratch" / "1" / "model.onnx"
REAL = PROJECT.parent / "shared" / "data" / "cats_and_dogs_small" / "test"
CLASSES = ("cat", "dog")
SHIPPED_VGG16 = PROJECT / "training" / "shipped" / "cats_dogs_vgg16"
SHIPPED_SIZE = (150, 150)
SIZES = {"scratch": SHIPPED_SIZE, "vgg16": (48, 64)}
DRAWN = [cat_jpeg(), jpeg("disc", 1), jpeg("stripes", 2)]


class Explained:
    """A net, its graphs, and what the sidecar would be told of them."""

    def __init__(self, architecture: str) -> None:
        self.size = SIZES.get(architecture, SHIPPED_SIZE)
        torch.manual_seed(3)
        self.net: ConvNet = (
            load_run(SHIPPED_VGG16).model().eval()
            if architecture == "shipped vgg16"
            else build(architecture, len(CLASSES), self.size).eval()
        )
        if architecture == "scratch":
            shipped = {
                each.name: torch.from_numpy(numpy_helper.to_array(each).copy())
                for each in onnx.load(SHIPPED).graph.initializer
            }
            self.net.load_state_dict({name: shipped[name] for name in self.net.state_dict()})
        self.hot, self.explain = HotGraph(self.net, self.size), ExplainGraph(self.net)
        self.manifest = self._manifest()

    def logits(self, pixels: Tensor) -> Tensor:
        z: Tensor = self.net(pixels)
        return torch.cat([-z, z], dim=1)

    def images(self, pictures: Sequence[bytes]) -> NDArray[np.uint8]:
        return np.stack([decode_picture(picture, self.size) for picture in pictures])

    def maps(self, query: Query, images: NDArray[np.uint8]) -> list[list[Any]]:
        _, method = find_method(self.manifest, query)
        found: list[Any] = []
        step = method.explain(images, FunctionPasses(self._answer(method.graph)))
        try:
            step.send(None)  # nothing waits: the passes answer at once
        except StopIteration as end:
            found = [list(each) for each in end.value.maps]
        return found

    def _answer(self, graph: str) -> Callable[[NDArray[np.uint8]], dict[str, Values]]:
        module = self.hot if graph == self.manifest.name else self.explain

        def answer(images: NDArray[np.uint8]) -> dict[str, Values]:
            with torch.no_grad():
                outputs = module(torch.from_numpy(images))
            return {
                name: value.numpy()
                for name, value in zip(module.output_names, outputs, strict=True)
            }

        return answer

    def _manifest(self) -> Manifest:
        blank = np.zeros((1, *self.size, 3), np.uint8)
        graphs = {}
        for name in ("net", "net_explain"):
            self.manifest = fakes.manifest("net")
            outputs = {key: value.shape[1:] for key, value in self._answer(name)(blank).items()}
            graphs[name] = Graph(file="model.onnx", sha256="0" * 64, outputs=outputs)
        layers = []
        for output, shape in graphs["net_explain"].outputs.items():
            kind, _, layer = output.partition(":")
            if kind == "activation":
                channels, height, width = shape
                layers.append(
                    Layer(
                        name=layer,
                        kind="conv" if "conv" in layer else "pool",
                        channels=channels,
                        height=height,
                        width=width,
                    )
                )
        return fakes.manifest("net").model_copy(
            update={"graphs": graphs, "layers": tuple(layers), "input_size": self.size}
        )


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Torch's threads wait for each other by spinning, which a busy machine does not stand."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=SIZES)
def explained(request: pytest.FixtureRequest) -> Explained:
    return Explained(request.param)


def pixels(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float()


def close(ours: Values, reference: Values, scale: float = 0.0) -> None:
    """Compare in units of the reference's largest value, or of `scale` where that is larger."""
    assert ours.shape == reference.shape
    assert np.abs(ours - reference).max() <= 1e-4 * max(scale, np.abs(reference).max())


def gradients_and_activations(
    explained: Explained, images: NDArray[np.uint8], target: int
) -> list[tuple[Values, Values]]:
    """Return, for each layer, Captum's gradient of a class's logit and a hook's activation."""
    modules = [
        explained.net.features.get_submodule(f"{layer.name}_relu")
        for layer in explained.manifest.conv_layers
    ]
    seen: list[Tensor] = []
    handles = [
        module.register_forward_hook(lambda *call: seen.append(call[-1].detach()))
        for module in modules
    ]
    with torch.no_grad():
        explained.net(pixels(images))
    for handle in handles:
        handle.remove()
    method = LayerGradientXActivation(explained.logits, modules, multiply_by_inputs=False)
    gradients = method.attribute(pixels(images), target=target)
    return [(g.detach().numpy(), a.numpy()) for g, a in zip(gradients, seen, strict=True)]


def grad_cam_plus_plus(gradient: Values, activation: Values) -> Values:
    """The paper's equations 19, 10 and 5 as they stand, with pytorch-grad-cam's epsilon."""
    sums = activation.sum((1, 2))[:, None, None]
    alpha = gradient**2 / (2 * gradient**2 + sums * gradient**3 + 1e-6)
    alpha = np.where(gradient != 0, alpha, 0)
    weights = (np.maximum(gradient, 0) * alpha).sum((1, 2))
    maps: Values = (weights[:, None, None] * activation).sum(0)
    return np.maximum(maps, 0)


PAPERS: dict[str, Callable[[Values, Values], Values]] = {
    "grad-cam": lambda g, a: np.maximum((g.mean((1, 2))[:, None, None] * a).sum(0), 0),
    "hirescam": lambda g, a: np.maximum((g * a).sum(0), 0),
    "layercam": lambda g, a: np.maximum((np.maximum(g, 0) * a).sum(0), 0),
    "grad-cam++": grad_cam_plus_plus,
}


def check_every_layer_and_class(explained: Explained, images: NDArray[np.uint8]) -> None:
    layers = [layer.name for layer in explained.manifest.conv_layers]
    references = [gradients_and_activations(explained, images, target) for target in (0, 1)]
    for method, paper in PAPERS.items():
        found = explained.maps(Query(method=method, layer="all", target="all"), images)
        for picture, maps in enumerate(found):
            expected = [(layer, name) for layer in layers for name in CLASSES]
            assert [(each.layer, each.target) for each in maps] == expected
            for number in range(len(layers)):
                # What a class has no evidence for is the rounding of the other's.
                of_classes = [
                    paper(gradient[picture], activation[picture])
                    for gradient, activation in (of_class[number] for of_class in references)
                ]
                scale = max(float(each.max()) for each in of_classes)
                for target, reference in enumerate(of_classes):
                    close(maps[2 * number + target].values, reference, scale)


def test_every_layers_maps_are_the_papers_of_captums_gradients(explained: Explained) -> None:
    check_every_layer_and_class(explained, explained.images(DRAWN))


@pytest.mark.data
@pytest.mark.skipif(not REAL.is_dir(), reason="the real pictures are not beside the project")
def test_every_layers_maps_of_real_pictures(explained: Explained) -> None:
    files = [sorted((REAL / folder).glob("*.jpg"))[7] for folder in ("cats", "dogs")]
    check_every_layer_and_class(explained, explained.images([each.read_bytes() for each in files]))


@pytest.mark.data
@pytest.mark.skipif(not REAL.is_dir(), reason="the real pictures are not beside the project")
def test_all_13_layers_maps_of_real_pictures_by_the_vgg16_that_is_shipped() -> None:
    explained = Explained("shipped vgg16")
    assert len(explained.manifest.conv_layers) == 13
    files = [sorted((REAL / folder).glob("*.jpg"))[7] for folder in ("cats", "dogs")]
    check_every_layer_and_class(explained, explained.images([each.read_bytes() for each in files]))


def test_grad_cam_and_hirescam_are_captums_own(explained: Explained) -> None:
    images = explained.images(DRAWN[:1])
    last = explained.manifest.conv_layers[-1].name
    module = explained.net.features.get_submodule(f"{last}_relu")
    for target, name in enumerate(CLASSES):
        grad_cam = LayerGradCam(explained.logits, module).attribute(
            pixels(images), target=target, relu_attributions=True
        )
        product = LayerGradientXActivation(explained.logits, module).attribute(
            pixels(images), target=target
        )
        (ours,) = explained.maps(Query(target=name), images)[0]
        close(ours.values, grad_cam[0, 0].detach().numpy())
        (ours,) = explained.maps(Query(method="hirescam", target=name), images)[0]
        close(ours.values, product[0].sum(0).relu().detach().numpy())


def test_activations_are_what_hooks_see(explained: Explained) -> None:
    images = explained.images(DRAWN)
    seen: dict[str, Values] = {}
    for name, module in explained.net.features.named_children():
        module.register_forward_hook(
            lambda *call, name=name: seen.__setitem__(name, call[-1].detach().clone().numpy())
        )
    with torch.no_grad():
        explained.net(pixels(images))
    found = explained.maps(Query(method="activations", layer="all", top=5), images)
    for picture, maps in enumerate(found):
        assert [each.layer for each in maps] == [each.name for each in explained.manifest.layers]
        for of_layer in maps:
            assert isinstance(of_layer, ActivationMaps)
            whole = seen.get(f"{of_layer.layer}_relu", seen[of_layer.layer])[picture]
            for channel in of_layer.channels:
                np.testing.assert_array_equal(channel.values, whole[channel.channel])


def test_saliency_is_captums(explained: Explained) -> None:
    images = explained.images(DRAWN)
    found = explained.maps(Query(method="saliency", target="all"), images)
    for target in range(len(CLASSES)):
        inputs = pixels(images).requires_grad_()
        reference = Saliency(explained.logits).attribute(inputs, target=target)
        for picture, maps in enumerate(found):
            assert maps[target].layer == "input"
            close(maps[target].values, reference[picture].amax(0).detach().numpy())


def test_smoothgrad_is_the_mean_gradient_of_the_same_noisy_pictures(explained: Explained) -> None:
    images = explained.images(DRAWN[:1])
    (found,) = explained.maps(Query(method="smoothgrad", samples=11, seed=5), images)
    chance = np.random.default_rng(5)
    noisy = np.concatenate([smooth_grad.noisy_copies(images[0], count, chance) for count in (8, 3)])
    assert np.abs(noisy.astype(float) - images[0]).std() > 10
    inputs = pixels(noisy).requires_grad_()
    target = CLASSES.index(found[0].target)
    (gradient,) = torch.autograd.grad(explained.logits(inputs)[:, target].sum(), inputs)
    close(found[0].values, gradient.mean(0).abs().amax(0).numpy())


def test_occlusion_is_captums() -> None:
    """Of pictures that the cells divide evenly, as Captum knows no others."""
    explained = Explained("scratch")
    images = explained.images(DRAWN[:1])
    (found,) = explained.maps(Query(method="occlusion", target="all"), images)
    cell = explained.size[0] // occlusion.CELLS
    square = occlusion.SQUARE * cell
    colour = torch.from_numpy(mean_colour(images[0])).float().reshape(1, 3, 1, 1)
    for target in range(len(CLASSES)):
        reference = Occlusion(lambda batch: explained.logits(batch).sigmoid()).attribute(
            pixels(images),
            sliding_window_shapes=(3, square, square),
            strides=(3, cell, cell),
            baselines=colour.expand_as(pixels(images)),
            target=target,
        )
        falls = reference[0, 0, ::cell, ::cell].relu().detach().numpy()
        np.testing.assert_allclose(found[target].values, falls, atol=2e-5)


def test_rise_is_the_papers_estimate_less_the_mean() -> None:
    explained = Explained("scratch")
    images = explained.images(DRAWN[:1])
    (found,) = explained.maps(Query(method="rise", target="all", samples=96, seed=2), images)
    chance = np.random.default_rng(2)
    masks = np.concatenate(
        [rise.random_masks(32, explained.size, chance) for _ in range(3)]
    ).astype(np.float64)
    colour = mean_colour(images[0]).astype(np.float32)
    covered = rise.covered(images[0], colour, masks.astype(np.float32))
    with torch.no_grad():
        scores = explained.logits(pixels(covered)).sigmoid().double().numpy()
    for target in range(len(CLASSES)):
        centred = scores[:, target] - scores[:, target].mean()
        estimate = np.maximum((centred[:, None, None] * masks).sum(0) / (96 * rise.OPEN), 0)
        if found[target].evidence:
            close(found[target].values, estimate.astype(np.float32))
        else:
            assert estimate.max() <= 4 * scores[:, target].std() / np.sqrt(96) + 1e-5


def test_rise_and_smoothgrad_repeat_themselves_with_a_seed_and_only_with_it() -> None:
    explained = Explained("scratch")
    images = explained.images(DRAWN[:1])
    for method in ("rise", "smoothgrad"):
        one, again, other = (
            explained.maps(Query(method=method, target="cat", samples=16, seed=seed), images)[0][0]
            for seed in (1, 1, 2)
        )
        assert isinstance(one, ClassMap)
        np.testing.assert_array_equal(one.values, again.values)
        if one.evidence:
            assert not np.array_equal(one.values, other.values)


def test_pictures_do_not_mix() -> None:
    explained = Explained("scratch")
    images = explained.images(DRAWN)
    for method in ("rise", "smoothgrad"):
        query = Query(method=method, target="cat", samples=4)
        together = explained.maps(query, images)
        alone = explained.maps(query, images[2:])
        np.testing.assert_allclose(together[2][0].values, alone[0][0].values, atol=1e-5)
