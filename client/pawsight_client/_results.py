"""What a server answers, frozen and typed."""

# ruff: noqa: TC001, TC003 - whoever builds on our types, as pydantic does, needs them at run time

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from pawsight_client._choices import Method
from pawsight_client._errors import OptionInvalid

Map: TypeAlias = tuple[tuple[float, ...], ...]
"""Values of a map, row by row: [height][width], raw scale."""


def check_drawing_file(path: str | os.PathLike[str]) -> None:
    """Raise OptionInvalid where a file's ending says that it is no PNG."""
    if (ending := Path(path).suffix).lower() not in {"", ".png"}:
        raise OptionInvalid(f"Drawings are PNG files; let {str(path)!r} end in .png, not {ending}.")


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a picture shows.

    Attributes:
        label: the likeliest class.
        score: probability of `label`, 0 to 1.
        probabilities: class name to probability; they sum to 1.
        model: name of the model that answered.
        version: its version.
        digest: "sha256:…" of the graph that answered.
        request_id: the server's id of the request.
    """

    label: str
    score: float
    probabilities: Mapping[str, float]
    model: str
    version: str
    digest: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel's activation map, with its mean and its largest value, raw scale.

    `zeros` is its share of zeros, 0 to 1.
    """

    channel: int
    mean: float
    max: float
    map: Map = field(repr=False)
    zeros: float = 0.0


@dataclass(frozen=True, slots=True)
class Curve:
    """A class's probability after each twentieth of the pixels, and the area under the curve."""

    area: float
    probabilities: tuple[float, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Whether the model depends on the pixels that a map points at (RISE, Petsiuk et al., 2018).

    Attributes:
        deletion: pixels are taken away, strongest first; a small area is good.
        insertion: pixels are put into a blurred picture; a large area is good.
    """

    deletion: Curve
    insertion: Curve


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a picture is predicted to be what it is.

    Attributes:
        method: "grad-cam", "activations" and so on.
        layer: the layer looked at; "input" where a method looks at the picture itself.
        target: the class explained; empty for activations.
        height: rows of a map.
        width: columns of a map.
        map: the map for `target`, raw scale; empty for activations.
        evidence: False where the map holds no evidence for the target and is all zeros.
        channels: the activation maps; empty for all other methods.
        overlay_png: the map over the picture, or the grid of maps, as a PNG file; empty where
            none was asked for.
        digest: "sha256:…" of the graph that gave the map.
        prediction: the prediction of the same pass.
        weights_sha256: of the training run's weights that the graph was made of, before any
            rounding.
        precision: what that graph computes in, "fp32", "fp16" or "int8".
        probability: of `target`, by the same pass; None for activations.
        faithfulness: where it was asked for and the map holds evidence.
        sheet_png: all explanations of the picture on one sheet, where that was asked for.
    """

    method: str
    layer: str
    target: str
    height: int
    width: int
    evidence: bool
    digest: str
    prediction: Prediction
    map: Map = field(default=(), repr=False)
    channels: tuple[Channel, ...] = ()
    overlay_png: bytes = field(default=b"", repr=False)
    weights_sha256: str = ""
    precision: str = ""
    probability: float | None = None
    faithfulness: Faithfulness | None = None
    sheet_png: bytes = field(default=b"", repr=False)

    def _repr_png_(self) -> bytes | None:
        """Return the drawing, which notebooks show in place of the explanation."""
        return self.sheet_png or self.overlay_png or None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the sheet, the overlay or the grid of maps, to a PNG file.

        Raises:
            OptionInvalid: there is none, as it was asked for with `overlay=False`, or the file
                has another ending or cannot be written.
        """
        check_drawing_file(path)
        drawing = self.sheet_png or self.overlay_png
        if not drawing:
            raise OptionInvalid("The explanation has no overlay; ask for it with overlay=True.")
        try:
            with open(path, "wb") as file:  # noqa: PTH123 - Path("") is the working folder
                file.write(drawing)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not a path"
            raise OptionInvalid(f"{str(path)!r} cannot be written: {reason}.") from error


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that can be explained; `kind` is "conv" or "pool"."""

    name: str
    kind: str
    channels: int
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is served.

    Attributes:
        name: its name.
        version: its version.
        classes: names of the classes, in the order of the graph's outputs.
        layers: the layers that can be explained, from the picture to the head.
        state: "READY" or "UNAVAILABLE".
        manifest: what the model says of itself, as it was published.
        methods: methods of explanation that it offers, of a newer server perhaps more than `Method`
            names.
        default: whether calls that name no model mean it.
    """

    name: str
    version: str
    classes: tuple[str, ...]
    layers: tuple[Layer, ...]
    state: str
    manifest: Mapping[str, Any] = field(repr=False)
    methods: tuple[Method, ...] = ()
    default: bool = False
