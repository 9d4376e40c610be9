"""The embedded engine on a real GPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from pawsight_serving.engines.sessions import GraphSession
from pawsight_serving.engines.sharing import Sharing
from pawsight_serving.engines.usable_providers import usable_providers
from pawsight_serving.repository.directory import read_graph, read_manifest

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        "CUDAExecutionProvider" not in usable_providers(),
        reason="no GPU that ONNX Runtime can use",
    ),
]

REPOSITORY = Path(__file__).parents[3] / "model_repository"


@pytest.mark.parametrize("graph", ["cats_dogs_scratch", "cats_dogs_scratch_explain"])
def test_a_gpu_gives_the_answers_of_a_cpu(graph: str) -> None:
    manifest = read_manifest(REPOSITORY, "cats_dogs_scratch", "1")
    model = read_graph(REPOSITORY, manifest, graph)
    shape = (5, *manifest.input_size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

    loaded = GraphSession(model, manifest.arithmetic(graph), manifest.input_size, Sharing())
    outputs = ["probabilities", *(name for name in loaded.output_names if "gradcam" in name)]

    assert loaded.providers[0] == "CUDAExecutionProvider"
    on_the_cpu = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    expected = on_the_cpu.run(outputs, {"image": images})
    for name, reference in zip(outputs, expected, strict=True):
        scale = np.abs(reference).max()
        np.testing.assert_allclose(loaded.run(images, outputs)[name], reference, atol=1e-4 * scale)
