"""How far the served maps are from Captum's, and Captum from itself in double precision.

    python -m benchmarks.captum_parity RUN --data DIR [--model cats_dogs_scratch]

RUN is the run that the model was exported from. For each convolutional layer: on how many pictures
a map, of either class, is off by more than 1e-4 of the picture's maximum in that layer, and the
worst. Every eighth test picture, and three flat ones.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pawsight_export.checks.checking import check_pictures
from pawsight_export.checks.parity import TOLERANCE, relative_deviations
from pawsight_export.checks.references import captum_maps
from pawsight_export.checks.staged_engine import StagedEngine
from pawsight_serving.repository.directory import published_versions, read_manifest
from pawsight_training.data.dataset import load_dataset
from pawsight_training.runs.run import load_run

if TYPE_CHECKING:
    from numpy.typing import NDArray


def main() -> None:
    """Print one row a layer."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("run", type=Path)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--model", default="cats_dogs_scratch")
    arguments.add_argument("--repository", type=Path, default=Path("model_repository"))
    options = arguments.parse_args()

    version = published_versions(options.repository, options.model)[-1]
    manifest = read_manifest(options.repository, options.model, version)
    test = load_dataset([options.data], manifest.input_size, only=("test",)).splits["test"]
    pictures = np.concatenate([check_pictures(manifest.input_size)[:3], test.pictures[::8]])
    layers = [layer.name for layer in manifest.conv_layers]
    with StagedEngine(options.repository, manifest) as engine:
        served = engine.infer(
            manifest.explain_name, pictures, tuple(f"gradcam:{layer}" for layer in layers)
        )
    net = load_run(options.run).model()
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    single = dict(captum_maps(net, images, len(manifest.classes)))
    double = dict(captum_maps(net.double(), images, len(manifest.classes)))
    print(f"{len(pictures)} pictures; over {TOLERANCE:g} of the maximum (worst)")
    print("layer | served against Captum | Captum, single against double precision")
    for layer in layers:
        ours = relative_deviations(served[f"gradcam:{layer}"], single[layer])
        theirs = relative_deviations(single[layer], double[layer])
        print(f"{layer} | {summary(ours)} | {summary(theirs)}")


def summary(relative: NDArray[np.floating[Any]]) -> str:
    """Return how many are over the tolerance, and the worst."""
    return f"{int((relative > TOLERANCE).sum())} ({relative.max():.1e})"


if __name__ == "__main__":
    main()
