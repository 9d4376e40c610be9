from __future__ import annotations

import pytest

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explanations.methods.registry import (
    DEFAULT_METHOD,
    METHODS,
    find_method,
    offered_methods,
)
from pawsight_serving.explanations.queries import Query
from tests.serving.fakes import manifest

OF_THE_CONTRACT = {"grad-cam", "activations"}
OF_GRADIENTS = {"hirescam", "layercam", "grad-cam++", "saliency", "smoothgrad"}
OF_PREDICTIONS = {"occlusion", "rise"}


def test_the_methods_are_the_contracts_and_more() -> None:
    assert set(METHODS) == OF_THE_CONTRACT | OF_GRADIENTS | OF_PREDICTIONS
    assert DEFAULT_METHOD == "grad-cam"
    assert offered_methods(manifest()) == tuple(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_takes_a_question_without_options(name: str) -> None:
    found, method = find_method(manifest(), Query(method=name))
    assert found == name
    assert method.values_per_picture > 0


def test_an_older_graph_offers_what_it_has_and_says_so() -> None:
    older = manifest()
    outputs = older.graphs["tiny_explain"].outputs
    for output in [name for name in outputs if name.startswith("gradient:")]:
        del outputs[output]
    assert set(offered_methods(older)) == OF_THE_CONTRACT | OF_PREDICTIONS
    for name in OF_GRADIENTS:
        with pytest.raises(OptionInvalid, match="one of: grad-cam, activations, occlusion, rise"):
            find_method(older, Query(method=name))
