"""Activation maps: what each filter of a layer answered to the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pawsight_serving.catalogue import find_layer
from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explainer.explanations import ActivationMaps, ChannelMap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pawsight_serving.explainer.explanations import Query
    from pawsight_serving.repository.manifest import Manifest

STRONGEST: Final = 16


@dataclass(frozen=True, slots=True)
class Activations:
    """Chosen channels of a layer, or those that answered strongest."""

    graph: str
    output: str
    layer: str
    channels: tuple[int, ...]

    @classmethod
    def ask(cls, manifest: Manifest, query: Query) -> Activations:
        """Check the options.

        Raises:
            LayerUnknown, OptionInvalid: an option does not fit.
        """
        if query.target:
            raise OptionInvalid("Leave out `target`; it is for the method grad-cam alone.")
        layer = find_layer(manifest, query.layer, conv_only=False)
        for channel in query.channels:
            if channel >= layer.channels:
                raise OptionInvalid(
                    f"Layer {layer.name!r} has no channel {channel}; "
                    f"its channels are 0 to {layer.channels - 1}."
                )
        if len(set(query.channels)) < len(query.channels):
            raise OptionInvalid("Name each of the `channels` once.")
        return cls(
            graph=manifest.explain_name,
            output=f"activation:{layer.name}",
            layer=layer.name,
            channels=query.channels,
        )

    def read(self, values: NDArray[np.float32], label: str) -> ActivationMaps:  # noqa: ARG002
        """Return the channels asked for of `values`, [channels, height, width].

        Where none was named, the 16 with the largest mean, strongest first.
        """
        channels = self.channels or tuple(
            np.argsort(-values.mean(axis=(1, 2)), kind="stable")[:STRONGEST].tolist()
        )
        return ActivationMaps(
            self.layer, tuple(ChannelMap(channel, values[channel]) for channel in channels)
        )
