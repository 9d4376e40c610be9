from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pawsight_serving.repository.shared_configuration import adapt, served_beside
from pawsight_serving.repository.triton_config import model_config, write_config
from pawsight_serving.repository.version_policy import serve_only
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("engine", "other", "shares"),
    [
        ("onnxruntime", {}, True),
        ("onnxruntime", {"bias": 1.0}, True),
        ("onnxruntime", {"side": 4}, False),
        ("onnxruntime", {"classes": ("dog", "cat")}, False),
        ("onnxruntime", {"precision": "fp16"}, False),
        # These backends are told of no precision, or of each version's.
        ("openvino", {"precision": "int8"}, True),
        ("python", {"precision": "int8"}, True),
        ("python", {"side": 4}, False),
    ],
)
def test_what_one_configuration_can_say_of_both(
    tmp_path: Path, engine: Any, other: dict[str, Any], shares: bool
) -> None:
    first = publish_tiny(tmp_path, version="1", engine=engine)
    second = publish_tiny(tmp_path, version="2", engine=engine, **other)
    assert served_beside([first, second], second) == ([first, second] if shares else [second])


def test_outputs_count_too(tmp_path: Path) -> None:
    first = publish_tiny(tmp_path, version="1")
    graph = first.graphs["tiny_explain"]
    fewer = graph.model_copy(update={"outputs": {"probabilities": (2,)}})
    second = first.model_copy(
        update={"version": "2", "graphs": {**first.graphs, "tiny_explain": fewer}}
    )
    assert served_beside([first], second) == []


@pytest.mark.parametrize("graph", ["tiny", "tiny_explain"])
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "python"])
def test_an_adapted_configuration_is_the_other_versions_own(
    tmp_path: Path, engine: Any, graph: str
) -> None:
    first = publish_tiny(tmp_path, version="1", engine=engine)
    second = publish_tiny(tmp_path, version="2", engine=engine, side=4, precision="int8")
    config, wanted = model_config([second], graph), model_config([first], graph)
    adapt(config, [first])
    serve_only(config, ["1"], ["1"])
    assert write_config(config) == write_config(wanted)
