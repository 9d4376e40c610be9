"""What the explainer answers, independent of the protocol."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pawsight_serving.predictions import Predictions

INPUT: Final = "input"
"""The layer of maps that are of the picture itself."""

# In a map of single pixels a few may tower over all others: where the highest is so many times
# the value that one pixel in a hundred is above, colours run up to that value.
_QUANTILE: Final = 0.99
_TOWERING: Final = 1.5


@dataclass(frozen=True)
class ClassMap:
    """Where a layer, or the picture itself, held evidence for a class; in the method's raw scale.

    `values` is float32 [height, width], never below zero; all zeros where there was none.
    """

    layer: str
    target: str
    values: NDArray[np.float32]

    @cached_property
    def evidence(self) -> bool:
        """Whether the map holds any evidence for the target."""
        return bool(self.values.max() > 0)

    @cached_property
    def ceiling(self) -> float:
        """The value that drawings show in their last colour; zero without evidence."""
        highest = float(self.values.max())
        if self.layer != INPUT:
            return highest
        usual = float(np.quantile(self.values, _QUANTILE))
        return usual if 0 < usual * _TOWERING < highest else highest


@dataclass(frozen=True)
class ChannelMap:
    """The activation map of one channel: `values` is float32 [height, width]."""

    channel: int
    values: NDArray[np.float32]

    @cached_property
    def mean(self) -> float:
        """The mean, raw scale."""
        return float(self.values.mean())

    @cached_property
    def max(self) -> float:
        """The largest value, raw scale."""
        return float(self.values.max())

    @cached_property
    def zeros(self) -> float:
        """The share of zeros, 0 to 1."""
        return 1.0 - float(np.count_nonzero(self.values)) / self.values.size


@dataclass(frozen=True, slots=True)
class ActivationMaps:
    """Some channels of a layer."""

    layer: str
    channels: Sequence[ChannelMap]

    @property
    def evidence(self) -> bool:
        """Whether any of the channels has a value above zero."""
        return any(channel.values.any() for channel in self.channels)


Maps = ClassMap | ActivationMaps


@dataclass(frozen=True, slots=True)
class Curve:
    """The class's probability after each twentieth of the pixels, from none to all."""

    probabilities: tuple[float, ...]

    @property
    def area(self) -> float:
        """The area under the curve, over shares of the pixels from 0 to 1."""
        ends = (self.probabilities[0] + self.probabilities[-1]) / 2
        return (sum(self.probabilities) - ends) / (len(self.probabilities) - 1)


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Both curves of one map."""

    deletion: Curve
    insertion: Curve


@dataclass(frozen=True, slots=True)
class Explanation:
    """One picture's maps of one layer and class.

    Attributes:
        maps: the values.
        probability: of the class explained, by the same pass; None for activations.
        drawing: the maps drawn; empty where none was asked for.
        faithfulness: where it was asked for and the map holds evidence.
    """

    maps: Maps
    probability: float | None = None
    drawing: bytes = b""
    faithfulness: Faithfulness | None = None


@dataclass(frozen=True, slots=True)
class Explained:
    """Predictions and explanations of one request: both of the same pass.

    Attributes:
        method: its name.
        predictions: one per picture, with the digest of the graph that answered.
        weights_sha256: of the training run's weights that the graph was made of, before any
            rounding.
        precision: what that graph computes in: "fp32", "fp16" or "int8".
        explanations: for each picture, for each layer, for each target.
        sheets: one drawing a picture, where sheets were asked for.
    """

    method: str
    predictions: Predictions
    weights_sha256: str
    precision: str
    explanations: Sequence[Explanation]
    sheets: Sequence[bytes] = ()

    def with_drawings(self, drawings: Sequence[bytes]) -> Explained:
        """Return the same with a drawing for each explanation."""
        drawn = zip(self.explanations, drawings, strict=True)
        return replace(self, explanations=[replace(each, drawing=data) for each, data in drawn])

    def with_sheets(self, sheets: Sequence[bytes]) -> Explained:
        """Return the same with a sheet for each picture."""
        return replace(self, sheets=sheets)
