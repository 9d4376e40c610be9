from __future__ import annotations

import asyncio
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pawsight_serving.engines.embedded import EmbeddedEngine
from pawsight_serving.engines.sessions import GraphSession
from pawsight_serving.engines.sharing import Sharing
from pawsight_serving.errors import ModelNotFound, RepositoryInvalid
from pawsight_serving.requests.deadlines import Deadline
from tests.serving.tiny_repository import SIDE, publish_tiny

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pawsight_serving.engines.sessions import Outputs

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


@pytest.mark.parametrize(("graph", "sizes"), [("tiny", [2, 2, 1]), ("tiny_explain", [1] * 5)])
async def test_many_pictures_of_a_call_are_run_in_parts(
    repository: Path, monkeypatch: pytest.MonkeyPatch, graph: str, sizes: list[int]
) -> None:
    engine = EmbeddedEngine(repository, sharing=Sharing(calls=1, largest_batch=2))
    await engine.start()
    ran: list[int] = []
    run = GraphSession.run

    def seen(session: GraphSession, images: NDArray[np.uint8], outputs: Sequence[str]) -> Outputs:
        ran.append(len(images))
        return run(session, images, outputs)

    monkeypatch.setattr(GraphSession, "run", seen)
    levels = np.arange(0, 250, 50, dtype=np.uint8)[:, np.newaxis, np.newaxis, np.newaxis]
    pictures = np.broadcast_to(levels, (5, SIDE, SIDE, 3))
    together = await engine.infer(graph, "1", pictures, ["probabilities"], Deadline.after(20))
    assert ran == sizes
    for number, probabilities in enumerate(together["probabilities"]):
        alone = await engine.infer(
            graph, "1", pictures[number : number + 1], ["probabilities"], Deadline.after(20)
        )
        np.testing.assert_allclose(probabilities, alone["probabilities"][0], atol=1e-6)
    await engine.close()


async def test_a_call_of_many_pictures_holds_their_answers_once(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = EmbeddedEngine(repository)
    await engine.start()
    names = ["probabilities", "gradcam:conv1"]

    def large(_: GraphSession, images: NDArray[np.uint8], outputs: Sequence[str]) -> Outputs:
        level = np.float32(images[0, 0, 0, 0])
        return {name: np.full((len(images), 2, 100, 100), level, np.float32) for name in outputs}

    monkeypatch.setattr(GraphSession, "run", large)
    pictures = np.repeat(np.arange(8, dtype=np.uint8), SIDE * SIDE * 3).reshape(8, SIDE, SIDE, 3)
    tracemalloc.start()
    try:
        answers = await engine.infer("tiny_explain", "1", pictures, names, Deadline.after(20))
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    await engine.close()
    assert list(answers) == names
    for values in answers.values():
        assert values.dtype == np.float32
        assert (values == np.arange(8)[:, np.newaxis, np.newaxis, np.newaxis]).all()
    # The answers, and that of the picture which has just been run.
    assert held < 1.2 * sum(values.nbytes for values in answers.values())


async def test_others_get_their_turn_while_a_large_call_is_run(repository: Path) -> None:
    engine = EmbeddedEngine(repository, sharing=Sharing(calls=1, largest_batch=2))
    await engine.start()
    done: list[str] = []

    async def ask(who: str, images: NDArray[np.uint8]) -> None:
        await engine.infer("tiny", "1", images, ["probabilities"], Deadline.after(20))
        done.append(who)

    await asyncio.gather(ask("many", np.repeat(IMAGE, 9, axis=0)), ask("one", IMAGE))
    assert done == ["one", "many"]
    await engine.close()
