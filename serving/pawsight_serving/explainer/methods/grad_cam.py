"""Grad-CAM (Selvaraju et al., 2017), computed inside the served graphs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pawsight_serving.catalogue import find_layer, find_target
from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explainer.explanations import GradCamMap

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.explainer.explanations import Query
    from pawsight_serving.repository.manifest import Manifest


@dataclass(frozen=True, slots=True)
class GradCam:
    """Where a convolutional layer saw evidence for a class."""

    graph: str
    output: str
    layer: str
    target: str
    classes: tuple[str, ...]

    @classmethod
    def ask(cls, manifest: Manifest, query: Query) -> GradCam:
        """Check the options and choose the graph.

        The last convolutional layer comes with the prediction from the hot graph; the others
        need the backward pass of `NAME_explain`.

        Raises:
            LayerUnknown, TargetUnknown, OptionInvalid: an option does not fit.
        """
        if query.channels:
            raise OptionInvalid("Leave out `channels`; it is for the method activations alone.")
        layer = find_layer(manifest, query.layer, conv_only=True)
        if query.target:
            find_target(manifest, query.target)
        last = layer == manifest.conv_layers[-1]
        return cls(
            graph=manifest.name if last else manifest.explain_name,
            output="gradcam" if last else f"gradcam:{layer.name}",
            layer=layer.name,
            target=query.target,
            classes=manifest.classes,
        )

    def read(self, values: NDArray[np.float32], label: str) -> GradCamMap:
        """Return the target's map of `values`, [classes, height, width]."""
        target = self.target or label
        return GradCamMap(self.layer, target, values[self.classes.index(target)])
