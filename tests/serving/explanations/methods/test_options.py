from __future__ import annotations

import numpy as np
import pytest

from pawsight_serving.errors import LayerUnknown, OptionInvalid, PawsightError, TargetUnknown
from pawsight_serving.explanations.methods.options import (
    Targets,
    explains,
    layers_of,
    refuse,
    refuse_layer,
    samples_of,
    values_in,
)
from pawsight_serving.explanations.queries import Query
from tests.serving.fakes import manifest


@pytest.mark.parametrize(
    ("conv_only", "names"), [(True, ["conv1", "conv2"]), (False, ["conv1", "pool1", "conv2"])]
)
def test_all_layers_are_those_that_a_method_takes(*, conv_only: bool, names: list[str]) -> None:
    found = layers_of(manifest(), Query(layer="all"), conv_only=conv_only)
    assert [layer.name for layer in found] == names


def test_layers_come_as_they_are_named() -> None:
    found = layers_of(manifest(), Query(layer="conv2,conv1"), conv_only=True)
    assert [layer.name for layer in found] == ["conv2", "conv1"]
    with pytest.raises(OptionInvalid, match="with one comma between each"):
        layers_of(manifest(), Query(layer="conv2,,conv1"), conv_only=True)
    with pytest.raises(OptionInvalid, match="Name each layer once"):
        layers_of(manifest(), Query(layer="conv1,conv1"), conv_only=True)


def test_all_stands_for_every_layer_alone() -> None:
    with pytest.raises(OptionInvalid, match="'all' means every layer; give it alone"):
        layers_of(manifest(), Query(layer="conv1,all"), conv_only=True)


@pytest.mark.parametrize(
    ("target", "error", "says"),
    [
        ("dog,all", OptionInvalid, "'all' means every target; give it alone"),
        ("dog,cat,dog", OptionInvalid, "Name each target once"),
        ("dog,fox", TargetUnknown, "fox"),
        ("fox", TargetUnknown, "fox"),
        ("dog,", TargetUnknown, "''"),
    ],
)
def test_targets_that_cannot_be_given_are_refused(
    target: str, error: type[PawsightError], says: str
) -> None:
    with pytest.raises(error, match=says):
        Targets.of(manifest(), Query(target=target))


@pytest.mark.parametrize(
    ("target", "names"), [("", ("",)), ("dog", ("dog",)), ("all", ("cat", "dog"))]
)
def test_without_a_target_it_is_the_predicted_class(target: str, names: tuple[str, ...]) -> None:
    assert Targets.of(manifest(), Query(target=target)) == Targets(names, ("cat", "dog"))


def test_a_class_may_have_the_name_of_all() -> None:
    model = manifest().model_copy(update={"classes": ("all", "dog")})
    assert Targets.of(model, Query(target="dog,all")).names == ("dog", "all")


def test_maps_come_by_layer_then_by_target() -> None:
    targets = Targets.of(manifest(), Query(target="dog,cat"))
    layers = {
        name: lambda target, scale=scale: np.full((1, 1), scale + target, np.float32)
        for name, scale in (("conv1", 10), ("conv2", 20))
    }
    found = targets.maps(layers, np.array([0.25, 0.75], np.float32))
    assert [(each.layer, each.target, each.values.item()) for each in found] == [
        ("conv1", "dog", 11),
        ("conv1", "cat", 10),
        ("conv2", "dog", 21),
        ("conv2", "cat", 20),
    ]
    assert targets.shapes([(4, 3), (2, 1)]) == ((4, 3), (4, 3), (2, 1), (2, 1))


def test_an_option_that_a_method_does_not_take_is_to_be_left_out() -> None:
    refuse(Query(seed=3), "rise", "channels", "top")
    with pytest.raises(OptionInvalid, match="Leave out `top`; the method rise does not take it"):
        refuse(Query(top=3), "rise", "channels", "top")


@pytest.mark.parametrize("layer", ["", "input", "all"])
def test_a_method_that_looks_at_the_picture_has_one_layer(layer: str) -> None:
    refuse_layer(Query(layer=layer))
    with pytest.raises(LayerUnknown, match="input"):
        refuse_layer(Query(layer="conv1"))


def test_as_many_samples_as_asked_for_up_to_a_bound() -> None:
    assert samples_of(Query(), 24, 256) == 24
    assert samples_of(Query(samples=3), 24, 256) == 3
    assert samples_of(Query(samples=256), 24, 256) == 256
    with pytest.raises(OptionInvalid, match="Ask for at most 256 `samples`"):
        samples_of(Query(samples=257), 24, 256)


def test_a_graph_may_have_no_more_outputs_than_are_needed() -> None:
    outputs = manifest().graphs["tiny_explain"].outputs
    assert explains(manifest(), outputs)
    assert explains(manifest(), ["gradcam:conv1"])
    assert not explains(manifest(), ["gradcam:conv1", "gradcam:conv9"])


def test_values_are_those_of_all_outputs() -> None:
    names = ("activation:conv1", "gradcam:conv2")
    assert values_in(manifest(), "tiny_explain", names) == 20 * 4 * 4 + 2 * 2 * 2
