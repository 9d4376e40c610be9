"""Grad-CAM (Selvaraju et al., 2017), computed inside the served graphs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explanations.methods.options import Targets, layers_of, refuse, values_in
from pawsight_serving.explanations.methods.protocol import MethodResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.explanations.methods.protocol import Passes
    from pawsight_serving.explanations.queries import Query
    from pawsight_serving.repository.manifest import Manifest

NAME = "grad-cam"


@dataclass(frozen=True, slots=True)
class GradCam:
    """Where convolutional layers saw evidence for classes.

    `outputs` is the graph's output of each layer.
    """

    graph: str
    outputs: Mapping[str, str]
    targets: Targets
    values_per_picture: int
    shapes: tuple[tuple[int, int], ...]

    @staticmethod
    def offered(manifest: Manifest) -> bool:
        """See `MethodKind.offered`; the hot graph of every model has the last layer's map."""
        return "gradcam" in manifest.graphs[manifest.name].outputs

    @classmethod
    def ask(cls, manifest: Manifest, query: Query) -> GradCam:
        """Check the options and choose the graph.

        The last convolutional layer alone comes with the prediction from the hot graph; the
        others need the backward pass of `NAME_explain`.

        Raises:
            LayerUnknown, TargetUnknown, OptionInvalid: an option does not fit.
        """
        refuse(query, NAME, "channels", "top", "samples", "seed")
        found = layers_of(manifest, query, conv_only=True)
        layers = [layer.name for layer in found]
        if layers == [manifest.conv_layers[-1].name]:
            graph, outputs = manifest.name, {layers[0]: "gradcam"}
        else:
            graph = manifest.explain_name
            outputs = {layer: f"gradcam:{layer}" for layer in layers}
            missing = outputs.values() - manifest.graphs[graph].outputs.keys()
            if missing:
                raise OptionInvalid(
                    f"This version of {manifest.name} has no {', '.join(sorted(missing))}; "
                    "ask for another layer."
                )
        targets = Targets.of(manifest, query)
        return cls(
            graph,
            outputs,
            targets,
            values_in(manifest, graph, outputs.values()),
            targets.shapes((layer.height, layer.width) for layer in found),
        )

    async def explain(self, images: NDArray[np.uint8], passes: Passes) -> MethodResult:
        """Return the targets' maps; one pass."""
        outputs = await passes.run(self.graph, images, ("probabilities", *self.outputs.values()))
        probabilities = outputs["probabilities"]
        maps = [
            self.targets.maps(
                {layer: outputs[name][i].__getitem__ for layer, name in self.outputs.items()},
                probabilities[i],
            )
            for i in range(len(images))
        ]
        return MethodResult(probabilities, maps)
