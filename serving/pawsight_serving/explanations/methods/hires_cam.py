"""HiResCAM (Draelos and Carin, "Use HiResCAM instead of Grad-CAM", 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pawsight_serving.explanations.methods.gradient_maps import GradientMethod

if TYPE_CHECKING:
    from numpy.typing import NDArray


def hires_cam(
    activations: NDArray[np.float32], gradients: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return gradient times activation, summed over the channels."""
    total: NDArray[np.float32] = np.einsum("khw,khw->hw", gradients, activations)
    return total


HIRES_CAM: Final = GradientMethod("hirescam", hires_cam)
