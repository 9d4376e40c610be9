from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pawsight_serving.deadlines import Deadline
from pawsight_serving.engines.embedded import EmbeddedEngine
from pawsight_serving.errors import ModelNotFound, RepositoryInvalid
from tests.serving.tiny_repository import SIDE, publish_tiny

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = np.zeros((1, SIDE, SIDE, 3), np.uint8)


async def test_a_broken_repository_does_not_start(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    (tmp_path / "tiny" / "1" / "model.onnx").write_bytes(b"garbage")
    engine = EmbeddedEngine(tmp_path)
    with pytest.raises(RepositoryInvalid):
        await engine.start()
    await engine.close()


async def test_hot_leaves_the_explain_graphs_on_disk(repository: Path) -> None:
    engine = EmbeddedEngine(repository, graphs="hot")
    await engine.start()
    await engine.infer("tiny", "1", IMAGE, ["probabilities"], Deadline.after(20))
    with pytest.raises(ModelNotFound):
        await engine.infer("tiny_explain", "1", IMAGE, ["probabilities"], Deadline.after(20))
    await engine.close()


async def test_what_another_engine_runs_is_named(tmp_path: Path) -> None:
    manifest = publish_tiny(tmp_path, engine="tensorrt")
    graphs = {
        name: graph.model_copy(update={"file": "model.plan"})
        for name, graph in manifest.graphs.items()
    }
    text = manifest.model_copy(update={"graphs": graphs}).model_dump_json()
    for name in graphs:
        folder = tmp_path / name / "1"
        (folder / "model.onnx").rename(folder / "model.plan")
        (folder / "manifest.json").write_text(text)
    engine = EmbeddedEngine(tmp_path)
    with pytest.raises(RepositoryInvalid, match="exported for tensorrt and runs in Triton alone"):
        await engine.start()
    await engine.close()
