from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository.directory import read_manifest
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda said: said["classes"].append("bird"), "not one probability for each of its"),
        (lambda said: said["classes"].pop(), "its classes are not several"),
        (lambda said: said["classes"].clear(), "its classes are not several"),
        (lambda said: said["classes"].append(said["classes"][0]), "each named once"),
        (lambda said: said["graphs"].pop("tiny_explain"), "the graphs tiny and tiny_explain"),
        (lambda said: said["graphs"].pop("tiny"), "the graphs tiny and tiny_explain"),
        (lambda said: said["layers"].clear(), "it names no convolutional layer"),
    ],
)
def test_one_that_contradicts_itself_is_refused(tmp_path: Path, change: Change, told: str) -> None:
    publish_tiny(tmp_path)
    file = tmp_path / "tiny" / "1" / "manifest.json"
    said = json.loads(file.read_text())
    change(said)
    file.write_text(json.dumps(said))
    with pytest.raises(RepositoryInvalid, match=f"tiny version 1 contradicts itself: .*{told}"):
        read_manifest(tmp_path, "tiny", "1")


@pytest.mark.parametrize(
    "change",
    [
        # A picture of this size would take all of the memory.
        lambda said: said.update(input_size=[100_000, 100_000]),
        lambda said: said.update(input_size=[0, 8]),
        lambda said: said["graphs"]["tiny"]["outputs"].update(gradcam=[2**63]),
        lambda said: said["graphs"]["tiny"].update(file="../../elsewhere/model.onnx"),
        lambda said: said["graphs"]["tiny"].update(file="model\0.onnx"),
        lambda said: said["layers"][0].update(name="../conv1"),
    ],
)
def test_what_no_export_writes_is_refused(tmp_path: Path, change: Change) -> None:
    publish_tiny(tmp_path)
    file = tmp_path / "tiny" / "1" / "manifest.json"
    said = json.loads(file.read_text())
    change(said)
    file.write_text(json.dumps(said))
    with pytest.raises(RepositoryInvalid, match="tiny version 1 cannot be read"):
        read_manifest(tmp_path, "tiny", "1")
