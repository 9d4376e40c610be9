"""A finished run with random weights, small enough to export in seconds, and pictures for it."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import onnx
import pytest
import torch
from torch import nn

from pawsight_export.graphs import precisions
from pawsight_export.graphs.onnx_graph import to_onnx
from pawsight_serving.repository.manifest import Preprocessing
from pawsight_training.architectures import ConvNet, build
from pawsight_training.architectures.convnet import Normalise
from pawsight_training.recipes import RECIPES
from pawsight_training.runs.run import (
    DataSummary,
    RunManifest,
    write_manifest,
    write_weights,
)
from tests.drawn_pictures import draw_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SIZE = (52, 47)
SMALL_SIZE = (15, 14)


def random_net(n_classes: int = 2, seed: int = 7) -> ConvNet:
    torch.manual_seed(seed)
    return build("scratch", n_classes, SIZE).eval()


def small_net(n_logits: int = 1) -> ConvNet:
    """Return a net of two layers, for pictures of `SMALL_SIZE`."""
    torch.manual_seed(3)
    features = OrderedDict[str, nn.Module](
        conv1=nn.Conv2d(3, 4, 3),
        conv1_relu=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(4, 6, 3),
        conv2_relu=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
    )
    head = nn.Sequential(nn.Flatten(), nn.Linear(6 * 2 * 2, 8), nn.ReLU(), nn.Linear(8, n_logits))
    return ConvNet(Normalise((0, 0, 0), (255, 255, 255)), nn.Sequential(features), head).eval()


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    net = random_net()
    write_manifest(
        folder,
        RunManifest(
            created=datetime.now(UTC),
            recipe_name="scratch",
            recipe=RECIPES["scratch"],
            architecture="scratch",
            classes=("cat", "dog"),
            input_size=SIZE,
            preprocessing=Preprocessing(mean=(0, 0, 0), std=(255, 255, 255)),
            seed=0,
            precision="32",
            data=DataSummary(
                sources=("drawn",),
                counts={"train": {"cat": 1, "dog": 1}},
                digests={"train": "0" * 64},
            ),
            epochs_trained=1,
            best_epoch=1,
            metrics={},
            weights_sha256=write_weights(folder, net),
            parameters=1,
            trainable_parameters=1,
            duration_s=0.0,
            libraries={},
        ),
    )
    return folder


@pytest.fixture(scope="session", autouse=True)
def exported_before() -> Iterator[None]:
    """Let PyTorch export each graph once: it takes seconds, and many tests need the same ones."""
    exported: dict[tuple[object, ...], onnx.ModelProto] = {}

    def export_once(
        graph: nn.Module, output_names: Sequence[str], input_size: tuple[int, int]
    ) -> onnx.ModelProto:
        state = graph.state_dict()
        values = hashlib.sha256(b"".join(value.numpy().tobytes() for value in state.values()))
        # What a module prints is its class and its layers with all that they are made of.
        key = (type(graph), repr(graph), tuple(output_names), input_size, values.digest())
        if key not in exported:
            exported[key] = to_onnx(graph, output_names, input_size)
        # It is changed by those who ask for it.
        model = onnx.ModelProto()
        model.CopyFrom(exported[key])
        return model

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(precisions, "to_onnx", export_once)
        yield


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return draw_folder(tmp_path / "drawn", {"train": 8, "validation": 2, "test": 4})
