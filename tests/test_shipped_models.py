"""The models that a clone comes with: whole, small, and right about real pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from pawsight_export.parity import TOLERANCE, check_parity
from pawsight_serving.pictures import decode_picture
from pawsight_serving.repository.directory import graph_path, read_graph, read_manifests
from pawsight_training.architectures import ConvNet, build
from tests.photographs import cat_jpeg

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pawsight_serving.repository.manifest import Manifest

PROJECT = Path(__file__).parent.parent
REPOSITORY = PROJECT / "model_repository"
PICTURES = PROJECT.parent / "shared" / "data" / "cats_and_dogs_small" / "test"
MEGABYTE = 1_000_000

shipped = pytest.mark.parametrize(
    "manifest", read_manifests(REPOSITORY), ids=lambda manifest: manifest.name
)
needs_pictures = pytest.mark.skipif(
    not PICTURES.is_dir(), reason="the real pictures are not beside the project"
)


def run(
    manifest: Manifest, graph: str, pictures: NDArray[np.uint8]
) -> Mapping[str, NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(
        read_graph(REPOSITORY, manifest, graph), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": pictures}), strict=True))


def net_of(manifest: Manifest) -> ConvNet:
    """Return the net with the weights that the published graph holds."""
    model = onnx.load(graph_path(REPOSITORY, manifest, manifest.name))
    weights = {
        initializer.name: torch.from_numpy(numpy_helper.to_array(initializer).copy())
        for initializer in model.graph.initializer
    }
    net = build(manifest.architecture, len(manifest.classes), manifest.input_size)
    net.load_state_dict({name: weights[name] for name in net.state_dict()})
    return net.eval()


@shipped
def test_the_classes_are_in_folder_order(manifest: Manifest) -> None:
    assert manifest.classes == ("cat", "dog")


@shipped
def test_every_graph_is_whole_and_under_20_megabytes(manifest: Manifest) -> None:
    for graph in (manifest.name, manifest.explain_name):
        assert len(read_graph(REPOSITORY, manifest, graph)) < 20 * MEGABYTE


@shipped
def test_a_real_cat_is_a_cat(manifest: Manifest) -> None:
    pictures = decode_picture(cat_jpeg(), manifest.input_size)[np.newaxis]
    probabilities = run(manifest, manifest.name, pictures)["probabilities"][0]
    assert probabilities[manifest.classes.index("cat")] > 0.5


@shipped
def test_both_graphs_agree_with_pytorch_and_captum(manifest: Manifest) -> None:
    cat = decode_picture(cat_jpeg(), manifest.input_size)
    white = np.full_like(cat, 255)
    pictures = np.stack([cat, cat[:, ::-1], white, 255 - cat])
    figures = check_parity(
        net_of(manifest),
        pictures,
        run(manifest, manifest.name, pictures),
        run(manifest, manifest.explain_name, pictures),
    )
    assert figures["pictures"] == len(pictures)
    assert max(figures["grad-cam"], figures["explain grad-cam"]) <= TOLERANCE


@pytest.mark.data
@needs_pictures
@shipped
def test_the_accuracy_is_what_the_manifest_says(manifest: Manifest) -> None:
    right = []
    for label, folder in enumerate(("cats", "dogs")):
        files = sorted((PICTURES / folder).iterdir())
        pictures = np.stack([decode_picture(f.read_bytes(), manifest.input_size) for f in files])
        answers = run(manifest, manifest.name, pictures)["probabilities"]
        right += list(answers.argmax(axis=1) == label)
    claimed = manifest.metrics["test, as exported"]["accuracy"]
    assert np.mean(right) == pytest.approx(claimed, abs=0.002)
