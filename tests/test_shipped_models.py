"""The models that a clone comes with: whole, small, and right about real pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from pawsight_export.checks.parity import TOLERANCE, check_parity
from pawsight_export.graphs.stored_weights import read_weights
from pawsight_export.graphs.tensorrt_plan import build_plan
from pawsight_serving.pictures.reading import decode_picture
from pawsight_serving.repository.directory import graph_path, read_graph, read_manifests
from pawsight_serving.settings import GatewaySettings
from pawsight_training.architectures import ConvNet, build
from pawsight_training.runs.run import load_run
from tests.export.tensorrt_for_rtx import load_tensorrt_for_rtx
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
    batches = [
        session.run(names, {"image": pictures[start : start + 8]})
        for start in range(0, len(pictures), 8)
    ]
    return dict(zip(names, map(np.concatenate, zip(*batches, strict=True)), strict=True))


def net_of(manifest: Manifest) -> ConvNet:
    """Return the net with the weights that the published graphs hold."""
    weights = read_weights(onnx.load(graph_path(REPOSITORY, manifest, manifest.explain_name)))
    net = build(manifest.architecture, len(manifest.classes), manifest.input_size)
    net.load_state_dict(
        {name: torch.from_numpy(weights[name].as_float().copy()) for name in net.state_dict()}
    )
    return net.eval()


@shipped
def test_tensorrt_builds_plans_of_both_graphs(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", load_tensorrt_for_rtx())
    for graph in manifest.graphs:
        assert build_plan(read_graph(REPOSITORY, manifest, graph), manifest.input_size, largest=4)


@shipped
def test_the_classes_are_in_folder_order(manifest: Manifest) -> None:
    assert manifest.classes == ("cat", "dog")


@shipped
def test_every_graph_is_whole_and_under_20_megabytes(manifest: Manifest) -> None:
    for graph in (manifest.name, manifest.explain_name):
        assert len(read_graph(REPOSITORY, manifest, graph)) < 20 * MEGABYTE


@shipped
def test_no_graph_says_on_which_machine_it_was_made(manifest: Manifest) -> None:
    for graph in (manifest.name, manifest.explain_name):
        assert b"pawsight_export" not in read_graph(REPOSITORY, manifest, graph)


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
    exact = manifest.precision == "fp32"
    figures = check_parity(
        net_of(manifest),
        pictures,
        run(manifest, manifest.name, pictures) if exact else None,
        run(manifest, manifest.explain_name, pictures),
    )
    assert figures["pictures"] == len(pictures)
    assert figures["explain grad-cam"] <= TOLERANCE
    assert figures.get("grad-cam", 0.0) <= TOLERANCE


@shipped
def test_both_graphs_hold_the_same_weights(manifest: Manifest) -> None:
    hot, explain = (
        read_weights(onnx.load(graph_path(REPOSITORY, manifest, graph)))
        for graph in (manifest.name, manifest.explain_name)
    )
    for name in dict(net_of(manifest).named_parameters()):
        np.testing.assert_array_equal(hot[name].values, explain[name].values)


def test_vgg16_is_the_default_and_comes_with_the_weights_that_it_was_made_of() -> None:
    (manifest,) = (each for each in read_manifests(REPOSITORY) if each.name == "cats_dogs_vgg16")
    run_manifest = load_run(PROJECT / "training" / "shipped" / manifest.name).manifest
    assert GatewaySettings().default_model == manifest.name
    assert manifest.precision == "int8"
    assert manifest.weights_sha256 == run_manifest.weights_sha256
    assert manifest.agreement["points of accuracy lost"] <= 0.5
    assert manifest.agreement["grad-cam correlation"] >= 0.95


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
    # int8 kernels round each in their own way.
    close = 0.005 if manifest.precision == "int8" else 0.002
    assert np.mean(right) == pytest.approx(claimed, abs=close)
