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
