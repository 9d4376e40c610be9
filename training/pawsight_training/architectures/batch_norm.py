"""Batch norm while a net learns, folded away when it has learnt."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pawsight_training.architectures.convnet import ConvNet

SUFFIX = "_bn"


def add_batch_norm(net: ConvNet) -> ConvNet:
    """Return the net with a batch norm after each convolution, named NAME_bn.

    A net that is learnt from scratch needs it (Ioffe and Szegedy, 2015); the weights are shared
    with `net`.
    """
    features: OrderedDict[str, nn.Module] = OrderedDict()
    for name, module in net.features.named_children():
        features[name] = module
        if isinstance(module, nn.Conv2d):
            features[name + SUFFIX] = nn.BatchNorm2d(module.out_channels)
    return ConvNet(net.normalise, nn.Sequential(features), net.head)


def fold_batch_norm(net: ConvNet) -> ConvNet:
    """Return a plain net that answers as `net` does in eval mode; `net` is left in eval mode."""
    net.eval()
    modules = OrderedDict(net.features.named_children())
    features: OrderedDict[str, nn.Module] = OrderedDict()
    for name, module in modules.items():
        norm = modules.get(name + SUFFIX)
        if isinstance(module, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            features[name] = fuse_conv_bn_eval(module, norm)
        elif not isinstance(module, nn.BatchNorm2d):
            features[name] = module
    return ConvNet(net.normalise, nn.Sequential(features), net.head).eval()
