from __future__ import annotations

import pytest

from pawsight_serving.errors import EngineUnavailable, ModelNotFound, OptionInvalid
from pawsight_serving.repository.catalogue import find_model
from tests.serving.fakes import manifest

TINY, OTHER = manifest("tiny"), manifest("other")


def test_without_a_name_the_default_answers_or_the_only_model() -> None:
    assert find_model([OTHER, TINY], "", default="tiny") is TINY
    assert find_model([OTHER], "", default="tiny") is OTHER
    with pytest.raises(OptionInvalid, match="other, tiny"):
        find_model([OTHER, TINY], "")


@pytest.mark.parametrize(("name", "default"), [("tiny", ""), ("", "tiny")])
def test_in_the_place_of_a_broken_model_no_other_answers(name: str, default: str) -> None:
    with pytest.raises(EngineUnavailable, match="'tiny' is broken") as raised:
        find_model([OTHER], name, default=default, broken=["tiny"])
    assert raised.value.retry_after_s


def test_what_is_broken_is_one_of_the_models() -> None:
    """A request without a name must not mean another model than before it broke."""
    with pytest.raises(OptionInvalid, match="Name the model"):
        find_model([OTHER], "", broken=["tiny"])
    with pytest.raises(ModelNotFound):
        find_model([OTHER], "third", broken=["tiny"])
    assert find_model([TINY], "tiny", broken=["tiny"]) is TINY
