"""The backward pass, written as forward operators that every engine has.

Neither ONNX nor TensorRT can differentiate, and TensorRT has no unpooling; but the gradient of a
plain convolutional network is itself made of products, masks and transposed convolutions.
Method: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", 2017.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence


def through_relu(gradient: Tensor, output: Tensor) -> Tensor:
    """Return the gradient before a ReLU, given the ReLU's output; both have one shape."""
    return gradient * (output > 0)


def through_dense(gradient: Tensor, layer: nn.Linear) -> Tensor:
    """Return the gradient before a dense layer: [..., out] to [..., in]."""
    return gradient @ layer.weight


def through_conv(gradient: Tensor, layer: nn.Conv2d) -> Tensor:
    """Return the gradient before a convolution of stride 1: [N, out, h, w] to [N, in, H, W].

    It is a convolution by the kernels turned around, for which engines have faster code than for
    the transposed convolution that it is as well.
    """
    kernels = layer.weight.transpose(0, 1).flip(2, 3)
    sides = zip(layer.kernel_size, cast("tuple[int, int]", layer.padding), strict=True)
    return F.conv2d(gradient, kernels, padding=[size - 1 - padded for size, padded in sides])


def sum_through_conv(gradient: Tensor, layer: nn.Conv2d, size: Sequence[int]) -> Tensor:
    """Return what `through_conv` gives, summed over the map, at the price of a sum.

    A value bears on the sum by each weight of its kernel whose position lies on the map: by all
    of them inside, by fewer at the edges that were padded.

    Args:
        gradient: with respect to what the convolution gave, [N, out, h, w].
        layer: the convolution.
        size: H, W of the map that it took.

    Returns:
        [N, in].
    """
    rows, columns = (
        _on_map(given, entered, kernel, padded)
        for given, entered, kernel, padded in zip(
            gradient.shape[-2:],
            size,
            layer.kernel_size,
            cast("tuple[int, int]", layer.padding),
            strict=True,
        )
    )
    by_weight = rows.T @ (gradient @ columns)
    return by_weight.flatten(1) @ layer.weight.transpose(0, 1).flatten(1).T


def _on_map(given: int, entered: int, kernel: int, padded: int) -> Tensor:
    """Return 1 where a weight [kernel] met the map at a position [given], and else 0."""
    taken = torch.arange(given).unsqueeze(1) + torch.arange(kernel) - padded
    return ((taken >= 0) & (taken < entered)).float()


def through_max_pool(gradient: Tensor, entered: Tensor, pooled: Tensor) -> Tensor:
    """Return the gradient before a 2x2 max-pool of stride 2.

    Of equal values in a window the first in reading order gets the gradient, as in PyTorch;
    a flat picture is nothing but ties. A last odd row or column was never pooled and gets none.

    Args:
        gradient: with respect to the pooled map, [N, C, h, w].
        entered: what the pool took, [N, C, H, W] with H // 2 = h and W // 2 = w.
        pooled: what the pool gave, [N, C, h, w].
    """
    height, width = pooled.shape[-2:]
    free = torch.ones_like(pooled, dtype=torch.bool)
    rows = []
    for i in (0, 1):
        row = []
        for j in (0, 1):
            wins = (entered[..., i : 2 * height : 2, j : 2 * width : 2] == pooled) & free
            free = free & ~wins
            row.append(gradient * wins)
        rows.append(torch.stack(row, dim=-1).flatten(-2))
    spread = torch.stack(rows, dim=-2).flatten(-3, -2)
    below, beside = entered.shape[-2] - 2 * height, entered.shape[-1] - 2 * width
    # A padding by nothing would be exported, and would copy the largest map.
    return F.pad(spread, (0, beside, 0, below)) if below or beside else spread
