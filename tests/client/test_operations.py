"""What can be asked, and what cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from pawsight_client import AnswerInvalid, Explanation, OptionInvalid
from pawsight_client._operations import (
    Explain,
    GetModel,
    Predict,
    check_many,
    joined,
    listed,
    single,
)

# Bytes of a command line that are no text come as such characters.
NO_TEXT = "\udc80"


@pytest.mark.parametrize("channels", [(-1,), (2**32,), ("3",), (1.5,)])
def test_channels_are_whole_numbers(channels: tuple[int, ...]) -> None:
    with pytest.raises(OptionInvalid, match="whole numbers"):
        Explain(b"data", channels=channels)


def test_numbers_may_be_numpys() -> None:
    channels: Any = np.argsort([3, 1, 2])
    asked = Explain(b"data", channels=listed(channels))
    assert asked.channels == (1, 2, 0)
    numbers: Any = {"top": np.int64(3), "seed": np.int32(1), "alpha": np.float32(0.5)}
    Explain(b"data", **numbers)
    check_many([], np.int64(4), "raise")  # type: ignore[arg-type]


def test_names_are_text() -> None:
    with pytest.raises(OptionInvalid):
        Predict(b"data", model=NO_TEXT)
    with pytest.raises(OptionInvalid):
        Explain(b"data", layer=NO_TEXT)
    with pytest.raises(OptionInvalid):
        GetModel("m", version=NO_TEXT)


def test_a_model_that_is_asked_for_has_a_name() -> None:
    with pytest.raises(OptionInvalid, match="Name the model"):
        GetModel("")


@pytest.mark.parametrize("in_flight", [0, -1, 1.5])
def test_one_picture_at_least_is_in_flight(in_flight: Any) -> None:
    check_many([], 1, "raise")
    with pytest.raises(OptionInvalid, match="in_flight"):
        check_many([], in_flight, "raise")


@pytest.mark.parametrize("one", ["cat.jpg", b"data", Path("cat.jpg")])
def test_one_picture_is_not_many(one: Any) -> None:
    with pytest.raises(OptionInvalid, match="ask predict"):
        check_many(one, 1, "raise")


def test_an_error_is_raised_or_returned() -> None:
    check_many([], 1, "return")
    with pytest.raises(OptionInvalid, match="on_error must be 'raise' or 'return', not 'skip'"):
        check_many([], 1, "skip")


@pytest.mark.parametrize("name", ["model", "version", "method", "layer", "target", "colormap"])
def test_what_is_no_text_is_named(name: str) -> None:
    options: dict[str, Any] = {name: 0}
    with pytest.raises(OptionInvalid, match=f"^{name} must be text, not int"):
        Explain(b"data", **options)


def test_alpha_is_a_number() -> None:
    with pytest.raises(OptionInvalid, match="alpha"):
        Explain(b"data", alpha="0.5")  # type: ignore[arg-type]


@pytest.mark.parametrize("names", ["conv1", 3, [3], [None]])
def test_names_are_a_list(names: Any) -> None:
    assert joined("layers", ["conv1", "conv3"]) == "conv1,conv3"
    assert joined("targets", ()) == ""
    with pytest.raises(OptionInvalid, match="layers must be a list of names"):
        joined("layers", names)


def test_one_explanation_is_not_several() -> None:
    one = cast("Explanation", object())
    assert single((one,)) is one
    with pytest.raises(AnswerInvalid, match="more explanations than were asked for"):
        single((one, one))


def test_many_passes_may_take_longer() -> None:
    assert Predict(b"data").default_timeout_s == Explain(b"data").default_timeout_s == 10
    assert Explain(b"data", method="rise").default_timeout_s == 30
    assert Explain(b"data", faithfulness=True).default_timeout_s == 30
