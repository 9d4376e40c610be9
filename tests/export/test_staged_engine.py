from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pawsight_export.staged_engine import StagedEngine
from pawsight_serving.errors import EngineUnavailable
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


def test_what_cannot_be_loaded_is_said_and_leaves_nothing_open(tmp_path: Path) -> None:
    manifest = publish_tiny(tmp_path, bias=float("nan"))
    with pytest.raises(EngineUnavailable, match="not finite"), StagedEngine(tmp_path, manifest):
        raise AssertionError
