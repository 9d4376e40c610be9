"""Grad-CAM++ (Chattopadhay et al., 2018, equations 5, 10 and 19)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pawsight_serving.explainer.methods.gradient_maps import GradientMethod

if TYPE_CHECKING:
    from numpy.typing import NDArray


def grad_cam_plus_plus(
    activations: NDArray[np.float32], gradients: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the channels' sum, weighted by their positive gradients, each by its own share.

    Of equation 19, g^2 / (2 g^2 + A g^3), the gradient's square is cancelled: 1 / (2 + A g), where
    A is the channel's sum. Where a gradient is not above zero its weight is zero, and above it
    nothing divides by zero. An epsilon against that would outweigh the small gradients of a large
    net.
    """
    positive = np.maximum(gradients, 0)
    sums = activations.sum(axis=(1, 2), keepdims=True)
    share = 1 / (2 + sums * positive)
    weights = np.einsum("khw,khw->k", share, positive)
    total: NDArray[np.float32] = np.einsum("k,khw->hw", weights, activations)
    return np.maximum(total, np.float32(0))


GRAD_CAM_PLUS_PLUS: Final = GradientMethod("grad-cam++", grad_cam_plus_plus)
