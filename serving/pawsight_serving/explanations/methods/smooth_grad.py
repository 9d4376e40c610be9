"""SmoothGrad (Smilkov et al., 2017): the gradient's mean over noisy copies of the picture."""

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
    samples_of,
    values_in,
)
from pawsight_serving.explanations.methods.protocol import MethodResult
from pawsight_serving.explanations.methods.saliency import GRADIENT, saliency_map
from pawsight_serving.explanations.results import INPUT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pawsight_serving.explanations.methods.protocol import Passes
    from pawsight_serving.explanations.queries import Query
    from pawsight_serving.repository.manifest import Manifest

NAME: Final = "smoothgrad"
SAMPLES: Final = 24
_MOST_SAMPLES: Final = 256
_BATCH: Final = 8
# Of the picture's range of values; the paper finds 10 to 20 % best.
NOISE: Final = 0.15


@dataclass(frozen=True, slots=True)
class SmoothGrad:
    """Saliency, averaged over noisy copies, so that single pixels flicker less."""

    graph: str
    targets: Targets
    samples: int
    seed: int
    values_per_picture: int
    shapes: tuple[tuple[int, int], ...]

    @staticmethod
    def offered(manifest: Manifest) -> bool:
        """Return whether the `_explain` graph gives the input's gradient."""
        return explains(manifest, (GRADIENT,))

    @classmethod
    def ask(cls, manifest: Manifest, query: Query) -> SmoothGrad:
        """Check the options.

        Raises:
            LayerUnknown, TargetUnknown, OptionInvalid: an option does not fit.
        """
        refuse(query, NAME, "channels", "top")
        refuse_layer(query)
        gradients = values_in(manifest, manifest.explain_name, (GRADIENT,))
        # A pixel has a quarter of a value's bytes.
        pixels = math.prod(manifest.input_size) * 3 // 4
        targets = Targets.of(manifest, query)
        return cls(
            manifest.explain_name,
            targets,
            samples_of(query, SAMPLES, _MOST_SAMPLES),
            query.seed,
            # A batch of both, and the sums of this one and of all.
            (gradients + pixels) * _BATCH + 2 * gradients,
            targets.shapes([manifest.input_size]),
        )

    async def explain(self, images: NDArray[np.uint8], passes: Passes) -> MethodResult:
        """Return the targets' maps in the input's size; `samples` passes a picture."""
        outputs = await passes.run(self.graph, images, ("probabilities",))
        probabilities = outputs["probabilities"]
        maps = []
        for image, of_picture in zip(images, probabilities, strict=True):
            gradients = await self._mean_gradients(image, passes)
            maps.append(self.targets.maps({INPUT: partial(saliency_map, gradients)}, of_picture))
        return MethodResult(probabilities, maps)

    async def _mean_gradients(
        self, image: NDArray[np.uint8], passes: Passes
    ) -> NDArray[np.float32]:
        chance = np.random.default_rng(self.seed)
        total = np.zeros((), np.float32)
        for start in range(0, self.samples, _BATCH):
            count = min(_BATCH, self.samples - start)
            noisy = await passes.work(partial(noisy_copies, image, count, chance))
            outputs = await passes.run(self.graph, noisy, (GRADIENT,))
            total = total + outputs[GRADIENT].sum(axis=0)
            del noisy, outputs  # before the next batch is made
        return total / np.float32(self.samples)


def noisy_copies(
    image: NDArray[np.uint8], count: int, chance: np.random.Generator
) -> NDArray[np.uint8]:
    """Return copies under Gaussian noise, rounded and bounded to pixels: the graph takes no others.

    The deviation is `NOISE` of the picture's range of values.
    """
    spread = NOISE * (float(image.max()) - float(image.min()))
    noisy = chance.standard_normal((count, *image.shape), np.float32)
    # In place: a batch has as many values as its gradients.
    noisy *= np.float32(spread)
    noisy += image
    return np.clip(np.rint(noisy, out=noisy), 0, 255, out=noisy).astype(np.uint8)
