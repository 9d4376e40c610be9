"""Saliency (Simonyan, Vedaldi and Zisserman, "Deep Inside Convolutional Networks", 2013)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from pawsight_serving.explanations.methods.options import (
    Targets,
    explains,
    refuse,
    refuse_layer,
    values_in,
)
from pawsight_serving.explanations.methods.protocol import MethodResult
from pawsight_serving.explanations.results import INPUT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pawsight_serving.explanations.methods.protocol import Passes
    from pawsight_serving.explanations.queries import Query
    from pawsight_serving.repository.manifest import Manifest

NAME: Final = "saliency"
GRADIENT: Final = f"gradient:{INPUT}"


@dataclass(frozen=True, slots=True)
class Saliency:
    """How much a class's logit changes with each pixel, in either direction."""

    graph: str
    targets: Targets
    values_per_picture: int
    shapes: tuple[tuple[int, int], ...]

    @staticmethod
    def offered(manifest: Manifest) -> bool:
        """Return whether the `_explain` graph gives the input's gradient."""
        return explains(manifest, (GRADIENT,))

    @classmethod
    def ask(cls, manifest: Manifest, query: Query) -> Saliency:
        """Check the options.

        Raises:
            LayerUnknown, TargetUnknown, OptionInvalid: an option does not fit.
        """
        refuse(query, NAME, "channels", "top", "samples", "seed")
        refuse_layer(query)
        targets = Targets.of(manifest, query)
        shapes = targets.shapes([manifest.input_size])
        gradients = values_in(manifest, manifest.explain_name, (GRADIENT,))
        # Beside the maps there is the colour that is being looked at.
        maps = sum(map(math.prod, (*shapes, manifest.input_size)))
        return cls(manifest.explain_name, targets, gradients + maps, shapes)

    async def explain(self, images: NDArray[np.uint8], passes: Passes) -> MethodResult:
        """Return the targets' maps in the input's size; one pass."""
        outputs = await passes.run(self.graph, images, ("probabilities", GRADIENT))
        probabilities, gradients = outputs["probabilities"], outputs[GRADIENT]
        maps = [
            self.targets.maps({INPUT: partial(saliency_map, gradients[i])}, probabilities[i])
            for i in range(len(images))
        ]
        return MethodResult(probabilities, maps)


def saliency_map(gradients: NDArray[np.float32], target: int) -> NDArray[np.float32]:
    """Return the largest magnitude over the colours of a class's gradient.

    Args:
        gradients: the logits', [logits, 3, height, width].
        target: the class's index.
    """
    # With one logit z the classes' logits are -z and z: their gradients have the same magnitude.
    red, *others = gradients[target if len(gradients) > 1 else 0]
    largest: NDArray[np.float32] = np.abs(red)
    # One colour at a time: the magnitudes of all are as large as the gradient.
    for colour in others:
        np.maximum(largest, np.abs(colour), out=largest)
    return largest
