"""What Grad-CAM costs in the served graph: the same graph with and without it, in one run.

    python -m benchmarks.gradcam_cost [--model cats_dogs_scratch] [--repository model_repository]

The graph without Grad-CAM is cut out of the published one, so weights and operators are the
same. Calls of both alternate, so that a noisy machine is noisy for both; the ratio is that of the
medians, with the spread of the medians over five parts of the run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnx.utils
import onnxruntime as ort

from pawsight_serving.engines.usable_providers import usable_providers
from pawsight_serving.execution_providers import choose_providers
from pawsight_serving.repository.directory import graph_path, published_versions, read_manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARTS = 5


def main() -> None:
    """Print one row a batch size."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--model", default="cats_dogs_scratch")
    arguments.add_argument("--repository", type=Path, default=Path("model_repository"))
    arguments.add_argument("--calls", type=int, default=200, help="a graph and batch size")
    options = arguments.parse_args()

    version = published_versions(options.repository, options.model)[-1]
    manifest = read_manifest(options.repository, options.model, version)
    whole = onnx.load(graph_path(options.repository, manifest, manifest.name))
    plain = without_grad_cam(whole)
    sessions = {
        name: ort.InferenceSession(
            model.SerializeToString(),
            providers=choose_providers(usable_providers(), manifest.precision),
        )
        for name, model in (("without", plain), ("with", whole))
    }
    print(
        f"{manifest.name} version {version}, {manifest.precision}, "
        f"{sessions['with'].get_providers()[0]}"
    )
    print("batch | without ms | with ms | ratio (spread)")
    for batch in (1, 8, 32):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (batch, *manifest.input_size, 3), np.uint8)
        times = measure(sessions, images, max(PARTS, options.calls // batch))
        medians = {name: statistics.median(values) for name, values in times.items()}
        size = len(times["with"]) // PARTS
        ratios = [
            statistics.median(times["with"][part : part + size])
            / statistics.median(times["without"][part : part + size])
            for part in range(0, size * PARTS, size)
        ]
        print(
            f"{batch:5} | {medians['without'] * 1e3:10.2f} | {medians['with'] * 1e3:7.2f} | "
            f"{medians['with'] / medians['without']:.3f} ({min(ratios):.3f}-{max(ratios):.3f})"
        )


def without_grad_cam(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph without Grad-CAM: ONNX Runtime runs all of a graph, whatever is asked."""
    cut: onnx.ModelProto = onnx.utils.Extractor(graph).extract_model(["image"], ["probabilities"])
    return cut


def measure(
    sessions: dict[str, ort.InferenceSession], images: NDArray[np.uint8], calls: int
) -> dict[str, list[float]]:
    """Return each session's times in seconds, calls alternating."""
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for session in sessions.values():
        session.run(None, {"image": images})
    for _ in range(calls):
        for name, session in sessions.items():
            start = time.perf_counter()
            session.run(None, {"image": images})
            times[name].append(time.perf_counter() - start)
    return times


if __name__ == "__main__":
    main()
