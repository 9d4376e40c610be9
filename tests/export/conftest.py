"""A finished run with random weights, small enough to export in seconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import torch

from pawsight_serving.repository.manifest import Preprocessing
from pawsight_training.architectures import ConvNet, build
from pawsight_training.recipes import RECIPES
from pawsight_training.run import DataSummary, RunManifest, write_manifest, write_weights

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (52, 47)


def random_net(n_classes: int = 2, seed: int = 7) -> ConvNet:
    torch.manual_seed(seed)
    return build("scratch", n_classes, SIZE).eval()


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
