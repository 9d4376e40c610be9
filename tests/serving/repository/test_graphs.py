from __future__ import annotations

import pytest

from pawsight_serving.errors import EngineUnavailable, ModelNotFound, OptionInvalid, VersionNotFound
from pawsight_serving.repository.graphs import every_graph, find_graph
from tests.serving.fakes import manifest

ONE, TWO = manifest(version="1"), manifest(version="2")


@pytest.mark.parametrize(
    ("name", "version", "found"),
    [
        ("tiny", "", ("tiny", "2")),
        ("tiny", "1", ("tiny", "1")),
        ("tiny_explain", "", ("tiny_explain", "2")),
        ("tiny_explain", "1", ("tiny_explain", "1")),
        ("", "", ("tiny", "2")),
    ],
)
def test_a_graph_is_a_model_of_its_own(name: str, version: str, found: tuple[str, str]) -> None:
    graph = find_graph([ONE, TWO], name, version)
    assert (graph.name, graph.manifest.version) == found


@pytest.mark.parametrize("name", ["other", "other_explain", "_explain", "tiny_explain_explain"])
def test_what_is_not_served_is_named_as_it_was_asked_for(name: str) -> None:
    with pytest.raises(ModelNotFound, match=f"'{name}'"):
        find_graph([ONE], name)


def test_a_version_that_is_not_served() -> None:
    with pytest.raises(VersionNotFound):
        find_graph([ONE], "tiny_explain", "9")


@pytest.mark.parametrize("name", ["broken", "broken_explain"])
def test_a_broken_model_is_not_taken_for_one_that_is_not_there(name: str) -> None:
    with pytest.raises(EngineUnavailable, match="'broken' is broken"):
        find_graph([ONE], name, broken=["broken"])


def sources(name: str, *outputs: str) -> list[tuple[str, list[str]]]:
    return [(graph.name, names) for graph, names in find_graph([ONE], name).sources(outputs)]


def test_the_outputs_of_the_explain_graph_are_in_the_hot_ones_reach_but_not_the_other_way() -> None:
    assert sources("tiny", "gradcam", "probabilities") == [("tiny", ["gradcam", "probabilities"])]
    assert sources("tiny", "activation:pool1", "gradcam", "gradcam:conv1") == [
        ("tiny", ["gradcam"]),
        ("tiny_explain", ["activation:pool1", "gradcam:conv1"]),
    ]
    assert sources("tiny_explain", "probabilities") == [("tiny_explain", ["probabilities"])]
    with pytest.raises(OptionInvalid, match="activation:pool1"):
        sources("tiny_explain", "gradcam")
    with pytest.raises(OptionInvalid, match=r"'x' is not one of: probabilities, gradcam, activ"):
        sources("tiny", "gradcam", "x")


def test_every_graph_of_every_version() -> None:
    graphs = [(graph.name, graph.manifest.version) for graph in every_graph([ONE, TWO])]
    assert graphs == [
        ("tiny", "1"),
        ("tiny_explain", "1"),
        ("tiny", "2"),
        ("tiny_explain", "2"),
    ]
