"""What can be asked of a server, as values that know neither HTTP nor gRPC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeAlias, TypeVar

from pawsight_client._errors import OptionInvalid
from pawsight_client._results import Explanation, Model, Prediction

T = TypeVar("T")
Method: TypeAlias = Literal[
    "grad-cam",
    "activations",
    "hirescam",
    "layercam",
    "grad-cam++",
    "saliency",
    "smoothgrad",
    "occlusion",
    "rise",
]
Colormap: TypeAlias = Literal["", "inferno", "magma", "plasma", "viridis", "cividis"]
ALL: Final = "all"


class Operation(Generic[T]):
    """A question whose answer is a `T`. All are safe to ask twice: none changes the server."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Predict(Operation[Prediction]):
    """What does the picture show? Empty model and version mean the server's default."""

    picture: bytes
    model: str = ""
    version: str = ""

    def __post_init__(self) -> None:
        _check_text(self.model, self.version)


@dataclass(frozen=True, slots=True)
class Explain(Operation[tuple[Explanation, ...]]):
    """Why? Empty layer and target mean the last convolutional layer and the predicted class.

    Layer and target may be several, with commas between them, or "all": the answer has an
    explanation for each layer and target, in that order.
    """

    picture: bytes
    model: str = ""
    version: str = ""
    method: Method = "grad-cam"
    layer: str = ""
    target: str = ""
    channels: tuple[int, ...] = ()
    overlay: bool = True
    top: int = 0
    sheet: bool = False
    alpha: float = 0.75
    colormap: Colormap = ""
    faithfulness: bool = False
    samples: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        _check_text(self.model, self.version, self.method, self.layer, self.target, self.colormap)
        if not all(isinstance(each, int) and 0 <= each < 2**32 for each in self.channels):
            raise OptionInvalid("Channels are whole numbers from 0.")
        for name, most in (("top", 2**16), ("samples", 2**16), ("seed", 2**63)):
            value = getattr(self, name)
            if not isinstance(value, int) or not 0 <= value < most:
                raise OptionInvalid(f"{name} is a whole number from 0, and below {most}.")
        if not 0 <= self.alpha <= 1:
            raise OptionInvalid("alpha is a number from 0 to 1.")


@dataclass(frozen=True, slots=True)
class ListModels(Operation[tuple[Model, ...]]):
    """Which models are served?"""


@dataclass(frozen=True, slots=True)
class GetModel(Operation[Model]):
    """What is the model of that name?"""

    model: str
    version: str = ""

    def __post_init__(self) -> None:
        _check_text(self.model, self.version)
        if not self.model:
            raise OptionInvalid("Name the model.")


def _check_text(*names: str) -> None:
    try:
        "".join(names).encode()
    except UnicodeEncodeError as error:
        raise OptionInvalid("A name holds characters that cannot be sent.") from error


def check_single(*names: str) -> None:
    """Raise OptionInvalid where a name stands for several layers or classes."""
    if any(name == ALL or "," in name for name in names):
        raise OptionInvalid("Ask for several layers or targets with explain_all.")


def check_in_flight(in_flight: int) -> None:
    """Raise OptionInvalid where many pictures could not even go one by one."""
    if in_flight < 1:
        raise OptionInvalid("in_flight must be at least 1.")
