"""What can be asked of the explainer, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.predictions import Predictions


@dataclass(frozen=True, slots=True)
class Query:
    """What to explain, and how; an empty option leaves the choice to the server."""

    model: str = ""
    version: str = ""
    method: str = ""
    layer: str = ""
    target: str = ""
    channels: tuple[int, ...] = ()
    draw: bool = False


@dataclass(frozen=True, slots=True)
class GradCamMap:
    """Where a layer saw evidence for a class, in the logit's own scale.

    `values` is float32 [height, width], never below zero; all zeros where there was none.
    """

    layer: str
    target: str
    values: NDArray[np.float32]

    @property
    def evidence(self) -> bool:
        """Whether the map holds any evidence for the target."""
        return bool(self.values.max() > 0)


@dataclass(frozen=True, slots=True)
class ChannelMap:
    """What one channel of a layer answered: `values` is float32 [height, width]."""

    channel: int
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ActivationMaps:
    """Some channels of a layer."""

    layer: str
    channels: Sequence[ChannelMap]

    @property
    def evidence(self) -> bool:
        """Whether any of the channels answered at all."""
        return any(channel.values.any() for channel in self.channels)


Maps = GradCamMap | ActivationMaps


@dataclass(frozen=True, slots=True)
class Explanation:
    """One picture's maps, and the drawing of them (PNG; empty where none was asked for)."""

    maps: Maps
    drawing: bytes = b""


@dataclass(frozen=True, slots=True)
class Explained:
    """Predictions and explanations of one request: both of the same pass."""

    method: str
    predictions: Predictions
    explanations: Sequence[Explanation]
