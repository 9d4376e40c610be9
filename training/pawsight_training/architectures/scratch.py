"""The lecture's convnet, trained from scratch (Chollet, Deep Learning with Python, 5.2)."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from pawsight_training.architectures.convnet import ConvNet, Normalise, check_size, map_size

CHANNELS = (32, 64, 128, 128)
MIN_SIDE = 46


def scratch(outputs: int, input_size: tuple[int, int], dropout: float = 0.0) -> ConvNet:
    """Four 3x3 convolutions without padding, each pooled; dense 512.

    3,453,121 parameters for one output at 150x150. Glorot-uniform weights and zero biases, as
    Keras starts them.

    Args:
        outputs: logits.
        input_size: (height, width) in pixels, at least 46 each.
        dropout: probability, between the last map and the dense layer.

    Raises:
        RecipeInvalid: the pictures are too small for four poolings.
    """
    check_size("The scratch net", input_size, MIN_SIDE)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels_in = 3
    for number, channels in enumerate(CHANNELS, start=1):
        layers[f"conv{number}"] = nn.Conv2d(channels_in, channels, kernel_size=3)
        layers[f"conv{number}_relu"] = nn.ReLU()
        layers[f"pool{number}"] = nn.MaxPool2d(2)
        channels_in = channels
    features = nn.Sequential(layers)
    height, width = map_size(features, input_size)
    head: OrderedDict[str, nn.Module] = OrderedDict(
        flatten=nn.Flatten(),
        dropout=nn.Dropout(dropout),
        dense1=nn.Linear(channels_in * height * width, 512),
        dense1_relu=nn.ReLU(),
        dense2=nn.Linear(512, outputs),
    )
    net = ConvNet(
        Normalise(mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0)),
        features,
        nn.Sequential(head),
    )
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
    return net
