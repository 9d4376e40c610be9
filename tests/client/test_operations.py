"""What can be asked, and what cannot."""

from __future__ import annotations

import pytest

from pawsight_client import OptionInvalid
from pawsight_client._operations import Explain, GetModel, Predict, check_in_flight

# Bytes of a command line that are no text come as such characters.
NO_TEXT = "\udc80"


@pytest.mark.parametrize("channels", [(-1,), (2**32,), ("3",), (1.5,)])
def test_channels_are_whole_numbers(channels: tuple[int, ...]) -> None:
    with pytest.raises(OptionInvalid, match="whole numbers"):
        Explain(b"data", channels=channels)


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


def test_one_picture_at_least_is_in_flight() -> None:
    check_in_flight(1)
    with pytest.raises(OptionInvalid):
        check_in_flight(0)
