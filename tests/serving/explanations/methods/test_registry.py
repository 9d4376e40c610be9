from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pawsight_serving.errors import LayerUnknown, OptionInvalid
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

OF_LAYERS = {"grad-cam", "hirescam", "layercam", "grad-cam++"}
# Which methods take an option that some do not.
TAKEN_BY = {
    "target": OF_LAYERS | {"saliency", "smoothgrad"} | OF_PREDICTIONS,
    "faithfulness": OF_LAYERS | {"saliency", "smoothgrad"} | OF_PREDICTIONS,
    "samples": {"smoothgrad", "rise"},
    "seed": {"smoothgrad", "rise"},
    "channels": {"activations"},
    "top": {"activations"},
}
GIVEN = {
    "target": Query(target="cat"),
    "faithfulness": Query(faithfulness=True),
    "samples": Query(samples=1),
    "seed": Query(seed=1),
    "channels": Query(channels=(0,)),
    "top": Query(top=1),
}


def test_the_methods_are_the_contracts_and_more() -> None:
    assert set(METHODS) == OF_THE_CONTRACT | OF_GRADIENTS | OF_PREDICTIONS
    assert DEFAULT_METHOD == "grad-cam"
    assert offered_methods(manifest()) == tuple(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_takes_a_question_without_options(name: str) -> None:
    found, method = find_method(manifest(), Query(method=name))
    assert found == name
    assert method.values_per_picture > 0


@pytest.mark.parametrize("option", GIVEN)
@pytest.mark.parametrize("name", METHODS)
def test_a_method_takes_its_own_options_alone(name: str, option: str) -> None:
    query = replace(GIVEN[option], method=name)
    if name in TAKEN_BY[option]:
        find_method(manifest(), query)
    else:
        with pytest.raises(OptionInvalid, match=f"`{option}`; the method {re.escape(name)} does"):
            find_method(manifest(), query)


@pytest.mark.parametrize(
    ("layer", "names"),
    [
        ("conv1", OF_LAYERS | {"activations"}),
        ("pool1", {"activations"}),
        ("input", {"saliency", "smoothgrad"} | OF_PREDICTIONS),
    ],
)
@pytest.mark.parametrize("name", METHODS)
def test_a_method_explains_layers_of_its_own_kind(name: str, layer: str, names: set[str]) -> None:
    query = Query(method=name, layer=layer)
    if name in names:
        find_method(manifest(), query)
    else:
        with pytest.raises(LayerUnknown):
            find_method(manifest(), query)


@pytest.mark.parametrize("name", sorted(OF_LAYERS | {"activations"}))
def test_all_layers_of_a_method_are_those_that_it_explains(name: str) -> None:
    _, method = find_method(manifest(), Query(method=name, layer="all"))
    assert len(method.shapes) == (3 if name == "activations" else 2)


def test_an_older_graph_offers_what_it_has_and_says_so() -> None:
    older = manifest()
    outputs = older.graphs["tiny_explain"].outputs
    for output in [name for name in outputs if name.startswith("gradient:")]:
        del outputs[output]
    assert set(offered_methods(older)) == OF_THE_CONTRACT | OF_PREDICTIONS
    for name in OF_GRADIENTS:
        with pytest.raises(OptionInvalid, match="one of: grad-cam, activations, occlusion, rise"):
            find_method(older, Query(method=name))
