from __future__ import annotations

from pawsight_serving.errors import ModelNotFound, RequestError


def test_a_sentence_is_as_it_is() -> None:
    assert str(RequestError("Send less.")) == "Send less."


def test_what_a_caller_named_makes_no_sentence_endless() -> None:
    sentence = str(ModelNotFound("\N{CAT FACE}\ud800" * 10_000, ("tiny",)))
    assert len(sentence.encode()) < 2_010
    assert sentence.startswith("Model '\N{CAT FACE}")
    assert sentence.endswith("the models are: tiny.")
