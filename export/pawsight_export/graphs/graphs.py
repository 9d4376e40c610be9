"""The two graphs of a model, as modules that `torch.onnx` can export.

Both take `image`, uint8 RGB [N, H, W, 3], and hold the same weights. `HotGraph` answers every
prediction and gives the last convolutional layer's Grad-CAM with it; `ExplainGraph` gives every
layer's activation map, every convolutional layer's Grad-CAM and gradient, and the input's gradient.

A convolutional layer is named without its ReLU and means its output after the ReLU, as in Keras.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pawsight_export.errors import ArchitectureUnsupported
from pawsight_export.graphs.gradients import (
    sum_through_conv,
    through_conv,
    through_dense,
    through_max_pool,
    through_relu,
)
from pawsight_training.evaluation.evaluation import probabilities_of

if TYPE_CHECKING:
    from pawsight_training.architectures import ConvNet


class _Graph(nn.Module):
    """What both graphs share: the checked chain of layers and the dense head."""

    def __init__(self, model: ConvNet) -> None:
        super().__init__()
        _check_chain(model)
        self.normalise = model.normalise
        self.features = model.features
        self.head = model.head

    @property
    def hidden(self) -> nn.Linear:
        return _dense_layers(self.head)[0]

    @property
    def output(self) -> nn.Linear:
        return _dense_layers(self.head)[1]

    @property
    def n_logits(self) -> int:
        return self.output.out_features

    def _pixels(self, image: Tensor) -> Tensor:
        pixels: Tensor = self.normalise(image.permute(0, 3, 1, 2).float())
        return pixels

    def _head(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the hidden layer after its ReLU [N, D] and the logits [N, L]."""
        hidden = F.relu(self.hidden(features.flatten(1)))
        return hidden, self.output(hidden)

    def _hidden_gradients(self, hidden: Tensor) -> Tensor:
        """Return each logit's gradient before the hidden layer's ReLU, [N, L, D]."""
        return through_relu(self.output.weight.unsqueeze(0), hidden.unsqueeze(1))


class HotGraph(_Graph):
    """`probabilities` [N, C] and `gradcam` [N, C, h, w] of the last convolutional layer.

    A max-pool sends the gradient of a pooled value to one position, so the mean over the map
    needs no routing: it is the sum over the pooled map, and the sum goes into the weights.
    """

    output_names = ("probabilities", "gradcam")
    channel_weights: Tensor

    def __init__(self, model: ConvNet, input_size: tuple[int, int]) -> None:
        super().__init__(model)
        with torch.no_grad():
            maps, _ = self._features(torch.zeros(1, *input_size, 3))
            n_channels, height, width = maps.shape[1:]
            per_channel = self.hidden.weight.reshape(len(self.hidden.weight), n_channels, -1).sum(2)
            self.register_buffer("channel_weights", per_channel / (height * width))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the outputs in the order of `output_names`."""
        maps, pooled = self._features(image)
        hidden, logits = self._head(pooled)
        importance = self._hidden_gradients(hidden) @ self.channel_weights
        return probabilities_of(logits), class_maps(_weighted_sum(importance, maps))

    def _features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last convolutional layer's maps, and what the head gets of them."""
        value = maps = self._pixels(image)
        for layer in self.features:
            value = layer(value)
            if isinstance(layer, nn.ReLU):
                maps = value
        return maps, value


class ExplainGraph(_Graph):
    """What every layer answered, and how it bears on the logits.

    `probabilities`; `activation:LAYER` of every layer; of every convolutional one `gradcam:LAYER`
    and `gradient:LAYER` [N, L, K, h, w], each logit's gradient with respect to its activation;
    `gradient:input` [N, L, 3, H, W], with respect to pixels 0 to 255. The gradients are on the
    walk's way and cost nothing more: what methods make of them is made outside the graph, as
    most engines compute all outputs of a graph, asked for or not.
    """

    def __init__(self, model: ConvNet) -> None:
        super().__init__(model)
        self.layer_names = [
            name
            for name, layer in model.features.named_children()
            if not isinstance(layer, nn.ReLU)
        ]
        self.conv_names = [
            name for name, layer in model.features.named_children() if isinstance(layer, nn.Conv2d)
        ]
        self.output_names = (
            "probabilities",
            *(f"activation:{name}" for name in self.layer_names),
            *(f"gradcam:{name}" for name in self.conv_names),
            *(f"gradient:{name}" for name in self.conv_names),
            "gradient:input",
        )

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs in the order of `output_names`."""
        steps: list[tuple[nn.Module, Tensor, Tensor]] = []
        value = self._pixels(image)
        for layer in self.features:
            entered, value = value, layer(value)
            steps.append((layer, entered, value))
        hidden, logits = self._head(value)
        activations = [after for layer, _, after in steps if not isinstance(layer, nn.Conv2d)]
        cams, gradients = self._walk_back(steps, self._hidden_gradients(hidden))
        return probabilities_of(logits), *activations, *cams, *gradients

    def _walk_back(
        self, steps: list[tuple[nn.Module, Tensor, Tensor]], gradients: Tensor
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Walk the chain backwards.

        Returns:
            The convolutional layers' class maps, first to last; their gradients, likewise, and
            the input's.
        """
        # Every logit walks as one more picture of the batch.
        n_logits = self.n_logits
        last = steps[-1][2]
        gradient = through_dense(gradients.flatten(0, 1), self.hidden).reshape(-1, *last.shape[1:])
        cams: list[Tensor] = []
        found: list[Tensor] = []
        second = [layer for layer, _, _ in steps if isinstance(layer, nn.Conv2d)][1:2]
        # A class map takes of its layer's gradient the sum alone.
        total: Tensor | None = None
        for layer, entered, after in reversed(steps):
            if isinstance(layer, nn.ReLU):
                total = gradient.sum((2, 3)) if total is None else total
                importance = (total / after[0, 0].numel()).reshape(-1, n_logits, after.shape[1])
                total = None
                cams.insert(0, class_maps(_weighted_sum(importance, after)))
                found.insert(0, gradient.reshape(-1, n_logits, *gradient.shape[1:]))
                gradient = through_relu(gradient, _for_each(n_logits, after))
            elif isinstance(layer, nn.MaxPool2d):
                # Each value goes to one place.
                total = gradient.sum((2, 3)) if total is None else total
                gradient = through_max_pool(
                    gradient, _for_each(n_logits, entered), _for_each(n_logits, after)
                )
            elif isinstance(layer, nn.Conv2d):
                if layer in second:
                    # The first layer's gradient is the most expensive, and its map does without.
                    total = sum_through_conv(gradient, layer, entered.shape[-2:])
                gradient = through_conv(gradient, layer)
        of_pixels = gradient / self.normalise.std
        return cams, [*found, of_pixels.reshape(-1, n_logits, *of_pixels.shape[1:])]


def class_maps(maps: Tensor) -> Tensor:
    """Return the evidence for each class, [N, C, h, w], of the logits' maps [N, L, h, w]."""
    if maps.shape[1] == 1:
        maps = torch.cat([-maps, maps], dim=1)
    return F.relu(maps)


def _for_each(n_logits: int, maps: Tensor) -> Tensor:
    """Return each picture's maps once for each logit, [N * L, K, h, w]."""
    return maps.repeat_interleave(n_logits, 0) if n_logits > 1 else maps


def _weighted_sum(importance: Tensor, maps: Tensor) -> Tensor:
    """Sum channels [N, K, h, w] by their importance [N, L, K] to [N, L, h, w]."""
    return (importance @ maps.flatten(2)).reshape(-1, importance.shape[1], *maps.shape[2:])


def _dense_layers(head: nn.Sequential) -> list[nn.Linear]:
    return [layer for layer in head if isinstance(layer, nn.Linear)]


def _check_chain(model: ConvNet) -> None:
    """Refuse a network that the explicit backward pass would get wrong."""
    layers = list(model.features)
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        plain = (
            isinstance(layer, nn.ReLU)
            or (isinstance(layer, nn.MaxPool2d) and _is_2x2(layer))
            or (
                isinstance(layer, nn.Conv2d)
                and layer.stride == (1, 1)
                and layer.dilation == (1, 1)
                and layer.groups == 1
                and isinstance(following, nn.ReLU)
            )
        )
        if not plain:
            raise ArchitectureUnsupported(
                f"The layer {layer} cannot be exported: features must be convolutions of stride 1, "
                "each with a ReLU, and 2x2 max-pools."
            )
    n_dense = len(_dense_layers(model.head))
    if n_dense != 2:
        raise ArchitectureUnsupported(
            f"The head has {n_dense} dense layers; it must have two with a ReLU between."
        )


def _is_2x2(pool: nn.MaxPool2d) -> bool:
    return (
        pool.kernel_size in (2, (2, 2))
        and pool.stride in (2, (2, 2))
        and pool.padding in (0, (0, 0))
        and not pool.ceil_mode
    )
