"""The references against PyTorch's own gradients, worked out by the paper's formula."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pawsight_export.checks.references import captum_gradients, captum_maps, layer_activations
from tests.export.conftest import SMALL_SIZE, small_net


def by_hand(n_logits: int) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """Return pictures, each layer's activations, and the logits that grew of them."""
    net = small_net(n_logits)
    images = torch.randint(0, 256, (3, 3, *SMALL_SIZE)).float().requires_grad_()
    value, seen = net.normalise(images), {}
    for name, layer in net.features.named_children():
        value = layer(value)
        if not isinstance(layer, nn.Conv2d):
            seen[name.removesuffix("_relu")] = value
    return images, seen, net.head(value)


def test_a_layers_activations_are_after_its_relu() -> None:
    images, seen, _ = by_hand(1)
    found = dict(layer_activations(small_net(), images.detach()))
    assert list(found) == ["conv1", "pool1", "conv2", "pool2"]
    for name, values in found.items():
        torch.testing.assert_close(torch.from_numpy(values), seen[name].detach())


@pytest.mark.parametrize(("n_logits", "n_classes"), [(1, 2), (3, 3)])
def test_gradients_are_of_every_logit(n_logits: int, n_classes: int) -> None:
    images, seen, logits = by_hand(n_logits)
    found = dict(captum_gradients(small_net(n_logits), images.detach(), n_classes))
    assert list(found) == ["conv1", "conv2", "input"]
    wanted = [seen["conv1"], seen["conv2"], images]
    for logit in range(n_logits):
        gradients = torch.autograd.grad(logits[:, logit].sum(), wanted, retain_graph=True)
        for values, gradient in zip(found.values(), gradients, strict=True):
            torch.testing.assert_close(torch.from_numpy(values[:, logit]), gradient)


@pytest.mark.parametrize(("n_logits", "n_classes"), [(1, 2), (3, 3)])
def test_maps_are_grad_cam_of_every_class(n_logits: int, n_classes: int) -> None:
    images, seen, logits = by_hand(n_logits)
    found = dict(captum_maps(small_net(n_logits), images.detach(), n_classes))
    assert list(found) == ["conv1", "conv2"]
    of_classes = torch.cat([-logits, logits], 1) if n_logits == 1 else logits
    for name, maps in found.items():
        for target in range(n_classes):
            (gradient,) = torch.autograd.grad(
                of_classes[:, target].sum(), seen[name], retain_graph=True
            )
            importance = gradient.mean((2, 3), keepdim=True)
            wanted = (importance * seen[name]).sum(1).relu().detach()
            torch.testing.assert_close(torch.from_numpy(maps[:, target]), wanted)
