"""VGG16 (Simonyan and Zisserman, 2014, configuration D) with the lecture's head."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from torch import nn

from pawsight_training.architectures.convnet import ConvNet, Normalise, check_size, map_size

BLOCKS: Final = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
MIN_SIDE: Final = 32
# ImageNet's channel means and deviations, as torchvision's weights want them.
MEAN: Final = (0.485 * 255, 0.456 * 255, 0.406 * 255)
STD: Final = (0.229 * 255, 0.224 * 255, 0.225 * 255)


def vgg16(outputs: int, input_size: tuple[int, int], dropout: float = 0.0) -> ConvNet:
    """Thirteen padded 3x3 convolutions in five pooled blocks; dense 256.

    14,714,688 parameters below the head; with one output at 150x150, where the last map is
    4x4x512, 2,097,665 in the head. Names are those of Keras. He-normal convolutions, so that it
    can learn from scratch; Glorot-uniform dense layers, as Keras starts them.

    Args:
        outputs: logits.
        input_size: (height, width) in pixels, at least 32 each.
        dropout: probability, between the two dense layers.

    Raises:
        RecipeInvalid: the pictures are too small for five poolings.
    """
    check_size("VGG16", input_size, MIN_SIDE)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels_in = 3
    for block, widths in enumerate(BLOCKS, start=1):
        for number, channels in enumerate(widths, start=1):
            conv = nn.Conv2d(channels_in, channels, kernel_size=3, padding=1)
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
            layers[f"block{block}_conv{number}"] = conv
            layers[f"block{block}_conv{number}_relu"] = nn.ReLU()
            channels_in = channels
        layers[f"block{block}_pool"] = nn.MaxPool2d(2)
    features = nn.Sequential(layers)
    height, width = map_size(features, input_size)
    head: OrderedDict[str, nn.Module] = OrderedDict(
        flatten=nn.Flatten(),
        dense1=nn.Linear(channels_in * height * width, 256),
        dense1_relu=nn.ReLU(),
        dropout=nn.Dropout(dropout),
        dense2=nn.Linear(256, outputs),
    )
    net = ConvNet(Normalise(MEAN, STD), features, nn.Sequential(head))
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif name.startswith("head"):
            nn.init.xavier_uniform_(parameter)
    return net
