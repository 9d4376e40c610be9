"""Grad-CAM++ (Chattopadhay et al., 2018, equations 5, 10 and 19)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pawsight_serving.explanations.methods.gradient_maps import GradientMethod

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Keeps 0 / 0 from being not a number. It is pytorch-grad-cam's, so that maps can be compared with
# those that others publish. It outweighs the squares of gradients below 0.001: there the share is
# smaller than the paper's, and VGG16's maps differ from its equations by up to 70 % of their peak.
_EPSILON: Final = np.float32(1e-6)


def grad_cam_plus_plus(
    activations: NDArray[np.float32], gradients: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the channels' sum, weighted by their positive gradients, each by its own share.

    Where a gradient is not above zero its weight is zero, so the quotient is taken of the others
    alone: below zero it has a pole.
    """
    positive = np.maximum(gradients, 0)
    square = positive * positive
    sums = activations.sum(axis=(1, 2), keepdims=True)
    share = square / (2 * square + sums * square * positive + _EPSILON)
    weights = np.einsum("khw,khw->k", share, positive)
    total: NDArray[np.float32] = np.einsum("k,khw->hw", weights, activations)
    return total


GRAD_CAM_PLUS_PLUS: Final = GradientMethod("grad-cam++", grad_cam_plus_plus)
