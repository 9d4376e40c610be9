"""The explainer's questions and answers, independent of the protocol."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explainer.rendering.colormap_names import COLORMAPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from pawsight_serving.explainer.faithfulness import Faithfulness
    from pawsight_serving.predictions import Predictions

ALPHA: Final = 0.75
"""How opaque the strongest evidence is: it still lets a quarter of the picture through."""

INPUT: Final = "input"
"""The layer of maps that are of the picture itself."""

# In a map of single pixels a few may tower over all others: where the highest is so many times
# the value that one pixel in a hundred is above, colours run up to that value.
_QUANTILE: Final = 0.99
_TOWERING: Final = 1.5


@dataclass(frozen=True, slots=True)
class Drawing:
    """What to draw, and how.

    Attributes:
        format: of the file.
        alpha: how opaque the strongest evidence covers the picture, 0 to 1.
        colormap: one of `rendering.colormap_names.COLORMAPS`; the server chooses where empty.
        sheet: one sheet a picture, instead of a drawing an explanation.

    Raises:
        OptionInvalid: `alpha` or `colormap` does not fit.
    """

    format: Literal["PNG", "WEBP"] = "PNG"
    alpha: float = ALPHA
    colormap: str = ""
    sheet: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise OptionInvalid("Give an `alpha` from 0 to 1.")
        if self.colormap and self.colormap not in COLORMAPS:
            raise OptionInvalid(
                f"The colormap {self.colormap!r} is not one of: {', '.join(COLORMAPS)}."
            )


@dataclass(frozen=True, slots=True)
class Query:
    """What to explain, and how; an empty option leaves the choice to the server.

    Attributes:
        model: name of a served model.
        version: one of its versions.
        method: one of `methods.registry.METHODS`.
        layer: a layer, several with commas between them, or "all".
        target: a class, several with commas between them, or "all"; empty is the predicted one.
        channels: of activation maps, those wanted.
        top: of activation maps, how many of the strongest are wanted.
        samples: passes of a method that draws at random.
        seed: of what it draws.
        faithfulness: whether to measure deletion and insertion.
        drawing: what to draw beside the values; None draws nothing.
        max_values: how many values the answer may have, where its protocol writes them one by one.
    """

    model: str = ""
    version: str = ""
    method: str = ""
    layer: str = ""
    target: str = ""
    channels: tuple[int, ...] = ()
    top: int = 0
    samples: int = 0
    seed: int = 0
    faithfulness: bool = False
    drawing: Drawing | None = None
    max_values: int | None = None

    def check_values(self, shapes: Iterable[Iterable[int]], pictures: int = 1) -> None:
        """Raise `OptionInvalid` where the answer would have more than `max_values`.

        Args:
            shapes: of the explanations of one picture.
            pictures: how many pictures there are.
        """
        values = pictures * sum(map(math.prod, shapes))
        if self.max_values is not None and values > self.max_values:
            raise OptionInvalid(
                f"The answer has {values} numbers, and at most {self.max_values} are written out; "
                "ask for fewer layers or channels, send fewer pictures, or ask for raw values: "
                "over HTTP with `Accept: application/x-npy`, over gRPC with `tensors`."
            )


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
        predictions: one a picture, with the digest of the graph that answered.
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
