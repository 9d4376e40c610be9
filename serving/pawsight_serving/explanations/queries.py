"""What can be asked of the explainer, independent of the protocol."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explanations.colormap_names import COLORMAPS

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_TOP: Final = 2**16 - 1
MAX_SAMPLES: Final = 2**16 - 1
MAX_SEED: Final = 2**63 - 1
ALPHA: Final = 0.75
"""How opaque the strongest evidence is: it still lets a quarter of the picture through."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What to draw, and how.

    Attributes:
        format: of the file.
        alpha: how opaque the strongest evidence covers the picture, 0 to 1.
        colormap: one of `colormap_names.COLORMAPS`; the server chooses where empty.
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
        method: one of `explanations.methods.registry.METHODS`.
        layer: a layer, several with commas between them, or "all".
        target: a class, several with commas between them, or "all"; empty is the predicted one.
        channels: of activation maps, those wanted.
        top: of activation maps, how many of the strongest are wanted.
        samples: passes of a method that draws at random.
        seed: of what it draws.
        faithfulness: whether to measure deletion and insertion.
        drawing: what to draw beside the values; None draws nothing.
        max_values: how many values the answer may have, where its protocol writes them one by one.

    Raises:
        OptionInvalid: a number is larger than any that can be meant.
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

    def __post_init__(self) -> None:
        for name, most in (("top", MAX_TOP), ("samples", MAX_SAMPLES), ("seed", MAX_SEED)):
            if getattr(self, name) > most:
                raise OptionInvalid(f"Give a `{name}` of at most {most}.")

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
                "over HTTP of one layer with `Accept: application/x-npy`, over gRPC with `tensors`."
            )
