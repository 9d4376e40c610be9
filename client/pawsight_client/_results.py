"""What a server answers, frozen and typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pawsight_client._errors import OptionInvalid

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

Map: TypeAlias = tuple[tuple[float, ...], ...]
"""Values of a map, row by row: [height][width], raw scale."""


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
    """One channel's activation map, with its mean and its largest value, raw scale."""

    channel: int
    mean: float
    max: float
    map: Map = field(repr=False)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a picture is predicted to be what it is.

    Attributes:
        method: "grad-cam" or "activations".
        layer: the layer looked at.
        target: the class explained; empty for activations.
        height: rows of a map.
        width: columns of a map.
        map: Grad-CAM's map for `target`, raw scale; empty for activations.
        evidence: False where the map holds no evidence for the target and is all zeros.
        channels: the activation maps; empty for Grad-CAM.
        overlay_png: the map over the picture, or the grid of maps, as a PNG file; empty where
            none was asked for.
        digest: "sha256:…" of the graph that gave the map.
        prediction: the prediction of the same pass.
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

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the overlay, or the grid of maps, to a PNG file.

        Raises:
            OptionInvalid: there is none, as it was asked for with `overlay=False`, or the file
                cannot be written.
        """
        if not self.overlay_png:
            raise OptionInvalid("The explanation has no overlay; ask for it with overlay=True.")
        try:
            Path(path).write_bytes(self.overlay_png)
        except OSError as error:
            raise OptionInvalid(f"{str(path)!r} cannot be written: {error.strerror}.") from error


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
    """

    name: str
    version: str
    classes: tuple[str, ...]
    layers: tuple[Layer, ...]
    state: str
    manifest: Mapping[str, Any] = field(repr=False)
