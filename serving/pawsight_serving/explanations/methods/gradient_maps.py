"""The common part of methods that make maps of a layer's activations and their gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from pawsight_serving.explanations.methods.options import (
    Targets,
    explains,
    layers_of,
    refuse,
    values_in,
)
from pawsight_serving.explanations.methods.protocol import MethodResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pawsight_serving.explanations.methods.protocol import Passes
    from pawsight_serving.explanations.queries import Query
    from pawsight_serving.explanations.results import ClassMap
    from pawsight_serving.repository.manifest import Manifest

    Values = NDArray[np.float32]
    Total = Callable[[Values, Values], Values]

# Small beside a layer, and large enough that its arithmetic is most of the work.
_VALUES_AT_ONCE: Final = 2**15


@dataclass(frozen=True, slots=True)
class GradientMethod:
    """A method whose map is a sum over a layer's channels, what is above zero of it.

    Args:
        name: the method's.
        total: activations after their ReLU and the class's gradient, each float32
            [channels, height, width], to their sum [height, width].
    """

    name: str
    total: Total

    def offered(self, manifest: Manifest) -> bool:
        """Return whether the `_explain` graph gives every layer's gradient."""
        return explains(manifest, (f"gradient:{layer.name}" for layer in manifest.conv_layers))

    def ask(self, manifest: Manifest, query: Query) -> GradientMaps:
        """Check the options.

        Raises:
            LayerUnknown, TargetUnknown, OptionInvalid: an option does not fit.
        """
        refuse(query, self.name, "channels", "top", "samples", "seed")
        found = layers_of(manifest, query, conv_only=True)
        layers = tuple(layer.name for layer in found)
        outputs = tuple(
            f"{kind}:{layer}" for layer in layers for kind in ("activation", "gradient")
        )
        targets = Targets.of(manifest, query)
        shapes = targets.shapes((layer.height, layer.width) for layer in found)
        return GradientMaps(
            manifest.explain_name,
            layers,
            outputs,
            targets,
            self.total,
            values_in(manifest, manifest.explain_name, outputs) + sum(map(math.prod, shapes)),
            shapes,
        )


@dataclass(frozen=True, slots=True)
class GradientMaps:
    """Maps of some layers for some classes, of one pass."""

    graph: str
    layers: tuple[str, ...]
    outputs: tuple[str, ...]
    targets: Targets
    total: Total
    values_per_picture: int
    shapes: tuple[tuple[int, int], ...]

    async def explain(self, images: NDArray[np.uint8], passes: Passes) -> MethodResult:
        """Return the targets' maps; one pass."""
        outputs = await passes.run(self.graph, images, ("probabilities", *self.outputs))
        probabilities = outputs["probabilities"]

        def maps(picture: int) -> list[ClassMap]:
            makers = {
                layer: partial(
                    self._map,
                    outputs[f"activation:{layer}"][picture],
                    outputs[f"gradient:{layer}"][picture],
                )
                for layer in self.layers
            }
            return self.targets.maps(makers, probabilities[picture])

        return MethodResult(
            probabilities, await passes.work(lambda: [maps(i) for i in range(len(images))])
        )

    def _map(self, activations: Values, gradients: Values, target: int) -> Values:
        found = np.zeros(activations.shape[1:], np.float32)
        # A few channels at a time: of a whole layer, each step would be as large as the layer.
        step = max(1, _VALUES_AT_ONCE // found.size)
        for start in range(0, len(activations), step):
            few = slice(start, start + step)
            found += self.total(activations[few], _of_class(gradients[:, few], target))
        return np.maximum(found, np.float32(0), out=found)


def _of_class(gradients: Values, target: int) -> Values:
    """Return the gradient of one class, out of the gradients of the logits, [logits, ...].

    With one logit z the classes' logits are -z and z.
    """
    if len(gradients) > 1:
        gradient: Values = gradients[target]
        return gradient
    return np.asarray(gradients[0] if target == 1 else -gradients[0])
