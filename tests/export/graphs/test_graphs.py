"""Both graphs, still in PyTorch, against Captum and forward hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn

from pawsight_export.errors import ArchitectureUnsupported
from pawsight_export.graphs.graphs import ExplainGraph, HotGraph
from tests.export.conftest import SIZE, random_net

if TYPE_CHECKING:
    from pawsight_training.architectures import ConvNet

CONVS = ["conv1", "conv2", "conv3", "conv4"]


def pictures() -> Tensor:
    noise = torch.randint(0, 256, (3, *SIZE, 3), dtype=torch.uint8)
    flat = [torch.full((1, *SIZE, 3), level, dtype=torch.uint8) for level in (0, 127, 255)]
    return torch.cat([noise, *flat])


def captum(net: ConvNet, conv: str, target: int, images: Tensor) -> Tensor:
    def logits(batch: Tensor) -> Tensor:
        z: Tensor = net(batch)
        return torch.cat([-z, z], 1) if z.shape[1] == 1 else z

    method = LayerGradCam(logits, net.features.get_submodule(f"{conv}_relu"))
    batch = images.permute(0, 3, 1, 2).float()
    maps: Tensor = method.attribute(batch, target=target, relu_attributions=True)
    return maps[:, 0].detach()


def assert_maps_close(ours: Tensor, reference: Tensor, scale: Tensor) -> None:
    assert ours.shape == reference.shape
    assert ((ours - reference).abs().amax((1, 2)) <= 1e-4 * scale).all()


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("conv", CONVS)
def test_grad_cam_of_every_layer_and_class_is_captums(n_classes: int, conv: str) -> None:
    net = random_net(n_classes)
    images = pictures()
    graph = ExplainGraph(net)
    outputs = dict(zip(graph.output_names, graph(images), strict=True))
    references = [captum(net, conv, target, images) for target in range(n_classes)]
    scale = torch.stack(references).amax((0, 2, 3))
    for target, reference in enumerate(references):
        assert_maps_close(outputs[f"gradcam:{conv}"][:, target], reference, scale)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_gradients_of_every_layer_and_of_the_input_are_autograds(n_classes: int) -> None:
    net = random_net(n_classes)
    images = pictures()
    graph = ExplainGraph(net)
    outputs = dict(zip(graph.output_names, graph(images), strict=True))
    value = images.permute(0, 3, 1, 2).float().requires_grad_()
    seen, pixels = {}, value
    value = net.normalise(value)
    for name, layer in net.features.named_children():
        value = layer(value)
        if isinstance(layer, nn.ReLU):
            seen[name.removesuffix("_relu")] = value
    logits = net.head(value)
    for logit in range(logits.shape[1]):
        gradients = torch.autograd.grad(
            logits[:, logit].sum(), [*seen.values(), pixels], retain_graph=True
        )
        for name, gradient in zip([*seen, "input"], gradients, strict=True):
            ours = outputs[f"gradient:{name}"][:, logit]
            assert ours.shape == gradient.shape
            assert (ours - gradient).abs().max() <= 1e-4 * gradient.abs().max()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_hot_graph_gives_the_last_layers_map(n_classes: int) -> None:
    net = random_net(n_classes)
    images = pictures()
    _, maps = HotGraph(net, SIZE)(images)
    references = [captum(net, "conv4", target, images) for target in range(n_classes)]
    scale = torch.stack(references).amax((0, 2, 3))
    for target, reference in enumerate(references):
        assert_maps_close(maps[:, target], reference, scale)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_are_the_models(n_classes: int) -> None:
    net = random_net(n_classes)
    images = pictures()
    with torch.no_grad():
        z = net(images.permute(0, 3, 1, 2))
        expected = torch.cat([1 - z.sigmoid(), z.sigmoid()], 1) if n_classes == 2 else z.softmax(1)
        for graph in (HotGraph(net, SIZE), ExplainGraph(net)):
            torch.testing.assert_close(graph(images)[0], expected)


def test_activations_are_what_hooks_see() -> None:
    net = random_net()
    images = pictures()
    seen: dict[str, Tensor] = {}
    for name, layer in net.features.named_children():
        layer.register_forward_hook(
            lambda _module, _inputs, output, name=name: seen.__setitem__(name, output.clone())
        )
    graph = ExplainGraph(net)
    outputs = dict(zip(graph.output_names, graph(images), strict=True))
    names = [name.removeprefix("activation:") for name in outputs if name.startswith("activation:")]
    assert names == [f"{kind}{n}" for n in range(1, 5) for kind in ("conv", "pool")]
    for name in names:
        assert torch.equal(outputs[f"activation:{name}"], seen.get(f"{name}_relu", seen[name]))


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(3, 4, 3, stride=2), nn.ReLU()],
        [nn.Conv2d(3, 4, 3), nn.Tanh()],
        [nn.Conv2d(3, 4, 3), nn.MaxPool2d(2)],
        [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(3)],
        [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AvgPool2d(2)],
    ],
)
def test_a_chain_that_would_come_out_wrong_is_refused(layers: list[nn.Module]) -> None:
    net = random_net()
    net.features = nn.Sequential(*layers)
    with pytest.raises(ArchitectureUnsupported, match="cannot be exported"):
        ExplainGraph(net)


def test_a_head_of_one_dense_layer_is_refused() -> None:
    net = random_net()
    net.head = nn.Sequential(nn.Flatten(), nn.Linear(128, 1))
    with pytest.raises(ArchitectureUnsupported, match="two"):
        HotGraph(net, SIZE)
