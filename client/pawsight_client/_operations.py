"""What can be asked of a server, as values that know neither HTTP nor gRPC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

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


@dataclass(frozen=True, slots=True)
class ListModels(Operation[tuple[Model, ...]]):
    """Which models are served?"""


@dataclass(frozen=True, slots=True)
class GetModel(Operation[Model]):
    """What is the model of that name?"""

    model: str
    version: str = ""
