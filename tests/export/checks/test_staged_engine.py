from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pawsight_export.checks.staged_engine import StagedEngine
from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.repository.rollback import roll_back
from tests.serving.tiny_repository import SIDE, publish_tiny

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("graph", ["tiny", "tiny_explain"])
def test_more_pictures_than_a_batch_come_back_in_their_order(tmp_path: Path, graph: str) -> None:
    manifest = publish_tiny(tmp_path)
    pictures = np.random.default_rng(0).integers(0, 256, (19, SIDE, SIDE, 3), np.uint8)
    outputs = tuple(manifest.graphs[graph].outputs)
    with StagedEngine(tmp_path, manifest, gpu=False) as engine:
        together = engine.infer(graph, pictures, outputs)
        alone = [engine.infer(graph, pictures[i : i + 1], outputs) for i in range(len(pictures))]
    assert set(together) == set(outputs)
    for output in outputs:
        expected = np.concatenate([each[output] for each in alone])
        np.testing.assert_allclose(together[output], expected, atol=1e-6)


def test_a_version_that_is_not_served_answers_too(tmp_path: Path) -> None:
    first = publish_tiny(tmp_path, version="1")
    publish_tiny(tmp_path, version="2", side=4)
    rolled_back = publish_tiny(tmp_path, version="3", bias=5.0)
    roll_back(tmp_path, "tiny", "2")
    # Another model's faults are none of this one's.
    publish_tiny(tmp_path, name="broken", bias=float("nan"))
    pictures = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    dogs = []
    for manifest in (first, rolled_back):
        with StagedEngine(tmp_path, manifest, gpu=False) as engine:
            answer = engine.infer("tiny", pictures, ("probabilities",))
        dogs.append(float(answer["probabilities"][0, 1]))
    assert dogs[0] == 0.5
    assert dogs[1] > 0.9


def test_what_cannot_be_loaded_is_said_and_leaves_nothing_open(tmp_path: Path) -> None:
    manifest = publish_tiny(tmp_path, bias=float("nan"))
    with pytest.raises(EngineUnavailable, match="not finite"), StagedEngine(tmp_path, manifest):
        raise AssertionError
