"""What can be asked of a server, as values that know neither HTTP nor gRPC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

from pawsight_client._errors import OptionInvalid
from pawsight_client._results import Explanation, Model, Prediction

T = TypeVar("T")
Method: TypeAlias = Literal["grad-cam", "activations"]


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
class Explain(Operation[Explanation]):
    """Why? Empty layer and target mean the last convolutional layer and the predicted class."""

    picture: bytes
    model: str = ""
    version: str = ""
    method: Method = "grad-cam"
    layer: str = ""
    target: str = ""
    channels: tuple[int, ...] = ()
    overlay: bool = True

    def __post_init__(self) -> None:
        _check_text(self.model, self.version, self.layer, self.target)
        if not all(isinstance(each, int) and 0 <= each < 2**32 for each in self.channels):
            raise OptionInvalid("Channels are whole numbers from 0.")


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


def check_in_flight(in_flight: int) -> None:
    """Raise OptionInvalid where many pictures could not even go one by one."""
    if in_flight < 1:
        raise OptionInvalid("in_flight must be at least 1.")
