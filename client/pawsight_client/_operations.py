"""The operations that a server offers, as values that know neither HTTP nor gRPC."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral, Real
from os import PathLike
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from pawsight_client._errors import AnswerInvalid, OptionInvalid
from pawsight_client._results import Explanation, Model, Prediction

if TYPE_CHECKING:
    from pawsight_client._choices import Colormap, Method

T = TypeVar("T")
ALL: Final = "all"

DEFAULT_TIMEOUT_S: Final = 10.0
PATIENT_TIMEOUT_S: Final = 30.0
"""As long as a server lets a request take, where nobody set that otherwise."""
_MANY_PASSES: Final = frozenset({"occlusion", "rise", "smoothgrad"})


class Operation(Generic[T]):
    """A request whose answer is a `T`. All are safe to repeat: none changes the server."""

    __slots__ = ()

    @property
    def default_timeout_s(self) -> float:
        """Seconds that the answer may take where the caller does not say."""
        return DEFAULT_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Predict(Operation[Prediction]):
    """Classify a picture. Empty model and version mean the server's default."""

    picture: bytes
    model: str = ""
    version: str = ""

    def __post_init__(self) -> None:
        _check_text(model=self.model, version=self.version)


@dataclass(frozen=True, slots=True)
class Explain(Operation[tuple[Explanation, ...]]):
    """Explain a picture.

    An empty layer means the last convolutional one, an empty target the predicted class.
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
        names = ("model", "version", "method", "layer", "target", "colormap")
        _check_text(**{name: getattr(self, name) for name in names})
        if not all(isinstance(each, Integral) and 0 <= each < 2**32 for each in self.channels):
            raise OptionInvalid(f"Channels are whole numbers from 0, and below {2**32}.")
        for name, most in (("top", 2**16), ("samples", 2**16), ("seed", 2**63)):
            value = getattr(self, name)
            if not (isinstance(value, Integral) and 0 <= int(value) < most):
                raise OptionInvalid(f"{name} is a whole number from 0, and below {most}.")
        if not (isinstance(self.alpha, Real) and 0 <= self.alpha <= 1):
            raise OptionInvalid("alpha is a number from 0 to 1.")

    @property
    def default_timeout_s(self) -> float:
        """As for others; longer for what takes tens or hundreds of passes."""
        many = self.faithfulness or self.method in _MANY_PASSES
        return PATIENT_TIMEOUT_S if many else DEFAULT_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class ListModels(Operation[tuple[Model, ...]]):
    """List the models that are served."""


@dataclass(frozen=True, slots=True)
class GetModel(Operation[Model]):
    """Describe the model of a name, in a version or the newest."""

    model: str
    version: str = ""

    def __post_init__(self) -> None:
        _check_text(model=self.model, version=self.version)
        if not self.model:
            raise OptionInvalid("Name the model.")


def _check_text(**names: object) -> None:
    for option, name in names.items():
        if not isinstance(name, str):
            raise OptionInvalid(f"{option} must be text, not {type(name).__name__}.")
    try:
        "".join(map(str, names.values())).encode()
    except UnicodeEncodeError as error:
        raise OptionInvalid("A name holds characters that cannot be sent.") from error


def check_single(*, layer: str, target: str = "") -> None:
    """Raise OptionInvalid where a name stands for several layers or classes."""
    _check_text(layer=layer, target=target)
    if any(name == ALL or "," in name for name in (layer, target)):
        raise OptionInvalid("Ask for several layers or targets with explain_all.")


def single(explanations: tuple[Explanation, ...]) -> Explanation:
    """Return the explanation of an answer to a question for one.

    Raises:
        AnswerInvalid: it holds several.
    """
    if len(explanations) != 1:
        raise AnswerInvalid(
            "The answer holds more explanations than were asked for; check the server's version."
        )
    return explanations[0]


def joined(option: str, names: Iterable[str]) -> str:
    """Return names as one text with commas between them.

    Raises:
        OptionInvalid: they are one text, whose letters would be taken for names, or no texts.
    """
    if not isinstance(names, str) and isinstance(names, Iterable):
        texts = list(names)
        if all(isinstance(each, str) for each in texts):
            return ",".join(texts)
    raise OptionInvalid(f"{option} must be a list of names.")


def listed(channels: Iterable[int]) -> tuple[int, ...]:
    """Return the numbers of channels; what is no list of them raises OptionInvalid."""
    if not isinstance(channels, Iterable):
        raise OptionInvalid("channels must be a list of numbers.")
    return tuple(channels)


def check_many(pictures: object, in_flight: int, on_error: str) -> None:
    """Raise OptionInvalid where these are no options of `predict_many`."""
    if isinstance(pictures, (str, bytes, bytearray, memoryview, PathLike)):
        raise OptionInvalid("predict_many takes a list of pictures; ask predict for a single one.")
    if not isinstance(in_flight, Integral) or in_flight < 1:
        raise OptionInvalid("in_flight must be a whole number, at least 1.")
    if on_error not in ("raise", "return"):
        raise OptionInvalid(f"on_error must be 'raise' or 'return', not {on_error!r}.")
