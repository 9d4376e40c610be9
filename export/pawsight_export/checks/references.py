"""What PyTorch and Captum say of a net: what exported graphs are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from captum.attr import LayerGradCam, LayerGradientXActivation, Saliency
from torch import Tensor, nn

from pawsight_export.graphs.graphs import class_maps
from pawsight_training.architectures.convnet import outputs_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_training.architectures import ConvNet


def layer_activations(model: ConvNet, images: Tensor) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield each layer's name and output, a convolution's after its ReLU.

    Args:
        model: in eval mode.
        images: float pixels 0 to 255, [N, 3, H, W].
    """
    with torch.no_grad():
        value = model.normalise(images)
        conv = ""
        for name, layer in model.features.named_children():
            value = layer(value)
            if isinstance(layer, nn.Conv2d):
                conv = name
            else:
                yield (conv if isinstance(layer, nn.ReLU) else name), value.numpy()


def captum_maps(
    model: ConvNet, images: Tensor, n_classes: int
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield each convolutional layer's name and Captum's Grad-CAM of it, [N, C, h, w].

    Args:
        model: in eval mode; its precision is the maps'.
        images: float pixels 0 to 255, [N, 3, H, W].
        n_classes: C.
    """
    for conv, value, rest in _from_each_relu(model, images):
        method = LayerGradCam(rest, rest[0])
        # Before their ReLU: of one logit the first class's map is the second's, negated.
        maps = [
            method.attribute(value, target=target, relu_attributions=False).detach()
            for target in range(outputs_for(n_classes))
        ]
        yield conv, class_maps(torch.cat(maps, dim=1)).numpy()


def captum_gradients(
    model: ConvNet, images: Tensor, n_classes: int
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield each convolutional layer's name and Captum's gradient of each logit, [N, L, K, h, w].

    The last one is the input's: its name is "input", and it is of pixels, [N, L, 3, H, W].
    """
    logits = range(outputs_for(n_classes))
    for conv, value, rest in _from_each_relu(model, images):
        method = LayerGradientXActivation(rest, rest[0], multiply_by_inputs=False)
        gradients = [method.attribute(value, target=logit).detach() for logit in logits]
        yield conv, torch.stack(gradients, dim=1).numpy()
    pixels = images.clone().requires_grad_()
    saliency = Saliency(model)
    gradients = [saliency.attribute(pixels, target=logit, abs=False).detach() for logit in logits]
    yield "input", torch.stack(gradients, dim=1).numpy()


def _from_each_relu(model: ConvNet, images: Tensor) -> Iterator[tuple[str, Tensor, nn.Sequential]]:
    """Yield each convolution's name, what it gives before its ReLU, and the net from the ReLU on.

    What lies below a layer has no part in its gradients: it is run once, and not for each of them.
    """
    layers = dict(model.features.named_children())
    with torch.no_grad():
        value = model.normalise(images)
    conv = ""
    for index, (name, layer) in enumerate(layers.items()):
        if isinstance(layer, nn.Conv2d):
            conv = name
        elif isinstance(layer, nn.ReLU):
            yield conv, value, nn.Sequential(*list(layers.values())[index:], model.head)
        with torch.no_grad():
            value = layer(value)
