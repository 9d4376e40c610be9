from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from pawsight_serving.errors import EngineUnavailable, PawsightError, RepositoryInvalid
from pawsight_training.data.dataset import load_dataset
from pawsight_training.errors import TrainingError
from pawsight_training.evaluation import served

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pawsight_serving.engines.protocol import Images
    from pawsight_serving.repository.manifest import Manifest
    from pawsight_serving.requests.deadlines import Deadline
    from pawsight_training.data.dataset import Dataset

MANIFEST = cast("Manifest", SimpleNamespace(name="shapes", version="3"))


class BrightEngine:
    """Answers with how bright a picture is, and counts what it is asked."""

    prepares = False

    def __init__(self, fails: Exception | None = None) -> None:
        self.fails = fails
        self.batches: list[int] = []
        self.state = "new"

    async def start(self) -> None:
        self.state = "started"

    def manifests(self) -> Sequence[Manifest]:
        return [MANIFEST]

    def faults(self) -> Mapping[str, PawsightError]:
        return {}

    def check_reachable(self) -> None:
        raise AssertionError

    async def catch_up(self, name: str, version: str, deadline: Deadline) -> None:
        raise AssertionError

    async def infer(
        self,
        graph: str,
        version: str,
        images: Images,
        outputs: Sequence[str],
        deadline: Deadline,
    ) -> dict[str, NDArray[np.float32]]:
        if self.fails:
            raise self.fails
        assert (graph, version, list(outputs), self.state) == (
            "shapes",
            "3",
            ["probabilities"],
            "started",
        )
        assert deadline.remaining_s() > 0
        assert not callable(images)
        self.batches.append(len(images))
        second = images.mean(axis=(1, 2, 3), dtype=np.float32) / 255
        return {"probabilities": np.stack([1 - second, second], axis=1)}

    async def close(self) -> None:
        self.state = "closed"


def test_every_picture_goes_through_the_engine_in_order(data: Dataset) -> None:
    engine, split = BrightEngine(), data.splits["train"]
    evaluation = asyncio.run(served._evaluate(engine, MANIFEST, split))
    expected = split.pictures.mean(axis=(1, 2, 3)) / 255
    np.testing.assert_allclose(evaluation.probabilities[:, 1], expected, rtol=1e-5)
    assert evaluation.labels.tolist() == split.labels.tolist()
    assert engine.batches == [8] * 5
    assert engine.state == "closed"


def test_an_engine_that_fails_is_closed_all_the_same(data: Dataset) -> None:
    engine = BrightEngine(fails=EngineUnavailable("The engine is down."))
    with pytest.raises(EngineUnavailable):
        asyncio.run(served._evaluate(engine, MANIFEST, data.splits["test"]))
    assert engine.state == "closed"


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RepositoryInvalid):
        served.served_manifest(tmp_path / "nothing", "shapes")


def test_without_onnx_runtime_it_says_what_to_install(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(sys.modules):
        if name.startswith("pawsight_serving.engines."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(TrainingError, match=r"pip install 'pawsight\[serving\]'"):
        served.evaluate_served(tmp_path, MANIFEST, data.splits["test"])


def test_another_model_that_is_broken_is_left_out(drawn: Path, cache: Path, tmp_path: Path) -> None:
    shipped = Path(__file__).parents[3] / "model_repository"
    for name in ("cats_dogs_scratch", "cats_dogs_scratch_explain"):
        (tmp_path / name).symlink_to(shipped / name)
        shutil.copytree(shipped / name, tmp_path / name.replace("scratch", "broken"))
    for graph in tmp_path.glob("cats_dogs_broken*/*/model.onnx"):
        graph.write_bytes(b"broken")
    manifest = served.served_manifest(tmp_path, "cats_dogs_scratch")
    split = load_dataset([drawn], manifest.input_size, cache=cache).splits["test"]
    evaluation = served.evaluate_served(tmp_path, manifest, split)
    assert evaluation.probabilities.shape == (len(split), 2)
