"""LayerCAM (Jiang et al., "Exploring Hierarchical Class Activation Maps", 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pawsight_serving.explanations.methods.gradient_maps import GradientMethod

if TYPE_CHECKING:
    from numpy.typing import NDArray


def layer_cam(
    activations: NDArray[np.float32], gradients: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return gradient times activation, summed over the channels where the gradient is positive."""
    total: NDArray[np.float32] = np.einsum("khw,khw->hw", np.maximum(gradients, 0), activations)
    return total


LAYER_CAM: Final = GradientMethod("layercam", layer_cam)
