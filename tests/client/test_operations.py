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
    check_single,
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
    with pytest.raises(OptionInvalid, match="channels must be a list of numbers"):
        listed(channels[0])
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
    number: Any = 3
    with pytest.raises(OptionInvalid, match="version must be text, not int"):
        Predict(b"data", version=number)
    with pytest.raises(OptionInvalid, match="model must be text, not int"):
        GetModel(number)


def test_a_model_that_is_asked_for_has_a_name() -> None:
    assert GetModel("tiny").model == "tiny"
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


@pytest.mark.parametrize("alpha", [-0.01, 1.01, float("nan"), "0.5"])
def test_alpha_is_a_number_from_0_to_1(alpha: Any) -> None:
    for edge in (0, 1):
        Explain(b"data", alpha=edge)
    with pytest.raises(OptionInvalid, match="alpha is a number from 0 to 1"):
        Explain(b"data", alpha=alpha)


@pytest.mark.parametrize(("name", "most"), [("top", 2**16), ("samples", 2**16), ("seed", 2**63)])
def test_counts_fit_into_every_transports_messages(name: str, most: int) -> None:
    for edge in (0, most - 1):
        within: dict[str, Any] = {name: edge}
        Explain(b"data", **within)
    for wrong in (-1, most, 1.0, "1"):
        beyond: dict[str, Any] = {name: wrong}
        with pytest.raises(OptionInvalid, match=f"^{name} is a whole number from 0, and below"):
            Explain(b"data", **beyond)
    Explain(b"data", channels=(0, 2**32 - 1))


@pytest.mark.parametrize("several", ["all", "conv1,conv2"])
def test_who_asks_for_one_explanation_names_no_several(several: str) -> None:
    check_single(layer="conv1", target="cat")
    check_single(layer="")
    for one in ({"layer": several}, {"layer": "conv1", "target": several}):
        with pytest.raises(OptionInvalid, match="with explain_all"):
            check_single(**one)
    names: Any = {"layer": 1}
    with pytest.raises(OptionInvalid, match="layer must be text"):
        check_single(**names)


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
