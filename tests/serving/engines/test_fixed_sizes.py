from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort
import pytest

from pawsight_serving.engines.fixed_sizes import FixedSizes
from pawsight_serving.repository.directory import read_graph
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path

OUTPUTS = ["probabilities", "gradcam"]


class Noted:
    """A session that notes how many pictures it was asked for."""

    def __init__(self, session: ort.InferenceSession, sizes: list[int]) -> None:
        self._session = session
        self._sizes = sizes

    def run(self, outputs: Any, inputs: Any) -> Any:
        self._sizes.append(len(inputs["image"]))
        return self._session.run(outputs, inputs)


@pytest.mark.parametrize(
    ("pictures", "asked"),
    [(1, [1]), (2, [4]), (4, [4]), (5, [4, 1]), (6, [4, 4]), (8, [4, 4]), (0, [1])],
)
def test_any_batch_is_run_in_the_few_sizes(tmp_path: Path, pictures: int, asked: list[int]) -> None:
    manifest = publish_tiny(tmp_path)
    plain = ort.InferenceSession(read_graph(tmp_path, manifest, manifest.name))
    sizes: list[int] = []
    noted: Any = Noted(plain, sizes)
    shape = (pictures, *manifest.input_size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

    results = FixedSizes({4: noted, 1: noted}).run(OUTPUTS, {"image": images})

    assert sizes == asked
    alone = [plain.run(OUTPUTS, {"image": image[None]}) for image in images]
    for number, values in enumerate(results):
        assert len(values) == pictures
        for value, expected in zip(values, alone, strict=True):
            np.testing.assert_allclose(value, expected[number][0], atol=1e-6)
