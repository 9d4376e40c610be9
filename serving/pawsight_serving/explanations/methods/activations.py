"""Activation maps: the output of each filter of a layer for the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explanations.methods.options import layers_of, refuse, values_in
from pawsight_serving.explanations.methods.protocol import MethodResult
from pawsight_serving.explanations.results import ActivationMaps, ChannelMap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pawsight_serving.explanations.methods.protocol import Passes
    from pawsight_serving.explanations.queries import Query
    from pawsight_serving.repository.manifest import Layer, Manifest

NAME: Final = "activations"
STRONGEST: Final = 16


@dataclass(frozen=True, slots=True)
class Activations:
    """Chosen channels of layers, or those with the largest mean."""

    graph: str
    layers: tuple[str, ...]
    channels: tuple[int, ...]
    top: int
    values_per_picture: int
    shapes: tuple[tuple[int, int, int], ...]

    @staticmethod
    def offered(manifest: Manifest) -> bool:
        """Return whether the `_explain` graph gives the layers' activations."""
        outputs = manifest.graphs[manifest.explain_name].outputs
        return any(f"activation:{layer.name}" in outputs for layer in manifest.layers)

    @classmethod
    def ask(cls, manifest: Manifest, query: Query) -> Activations:
        """Check the options.

        Raises:
            LayerUnknown, OptionInvalid: an option does not fit.
        """
        refuse(query, NAME, "target", "samples", "seed", "faithfulness")
        if query.channels and query.top:
            raise OptionInvalid("Give either `channels` or `top`, not both.")
        layers = layers_of(manifest, query, conv_only=False)
        for layer in layers:
            _check_channels(layer, query.channels)
        if len(set(query.channels)) < len(query.channels):
            raise OptionInvalid("Name each of the `channels` once.")
        names = tuple(layer.name for layer in layers)
        values = values_in(manifest, manifest.explain_name, map(_output, names))
        top = query.top or STRONGEST
        shapes = tuple(
            (len(query.channels) or min(top, layer.channels), layer.height, layer.width)
            for layer in layers
        )
        return cls(manifest.explain_name, names, query.channels, top, values, shapes)

    async def explain(self, images: NDArray[np.uint8], passes: Passes) -> MethodResult:
        """Return each layer's channels; one pass."""
        outputs = await passes.run(
            self.graph, images, ("probabilities", *map(_output, self.layers))
        )

        def maps(picture: int) -> list[ActivationMaps]:
            return [self.choose(layer, outputs[_output(layer)][picture]) for layer in self.layers]

        return MethodResult(
            outputs["probabilities"],
            await passes.work(lambda: [maps(i) for i in range(len(images))]),
        )

    def choose(self, layer: str, values: NDArray[np.float32]) -> ActivationMaps:
        """Return the channels asked for of `values`, [channels, height, width].

        Where none was named, the `top` with the largest mean, strongest first.
        """
        channels = self.channels or tuple(
            np.argsort(-values.mean(axis=(1, 2)), kind="stable")[: self.top].tolist()
        )
        return ActivationMaps(
            layer, tuple(ChannelMap(channel, values[channel]) for channel in channels)
        )


def _output(layer: str) -> str:
    return f"activation:{layer}"


def _check_channels(layer: Layer, channels: tuple[int, ...]) -> None:
    for channel in channels:
        if channel >= layer.channels:
            raise OptionInvalid(
                f"Layer {layer.name!r} has no channel {channel}; "
                f"its channels are 0 to {layer.channels - 1}."
            )
