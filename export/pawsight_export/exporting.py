"""From a finished run to a published version: build, stage, check, publish."""

from __future__ import annotations

import importlib.metadata
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from torch import nn

from pawsight_export.errors import PublicationFailed
from pawsight_export.graphs import ExplainGraph, HotGraph
from pawsight_export.onnx_graph import to_onnx
from pawsight_export.parity import check_parity
from pawsight_export.publication import next_version, publish
from pawsight_export.staged_engine import infer_staged
from pawsight_export.staging import stage_graph, stage_manifest
from pawsight_serving.repository.directory import published_versions, read_manifest
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX, Layer, Manifest
from pawsight_training.dataset import load_dataset
from pawsight_training.run import load_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pawsight_training.run import Run

Engine = Literal["onnxruntime", "python"]

_LIBRARIES: Final = ("torch", "onnx", "onnxscript", "numpy", "pillow", "captum", "pawsight")
_CHECK_PICTURES: Final = 32


def export_run(
    run_folder: Path,
    name: str,
    repository: Path,
    *,
    engine: Engine = "onnxruntime",
    data: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Export a run as the next version of a model.

    Args:
        run_folder: what `pawsight train` wrote.
        name: the model's name in the repository.
        repository: the model repository; made where it does not exist.
        engine: what runs the graphs in Triton: its ONNX Runtime backend, or a `model.py` in its
            Python backend. Pawsight's embedded engine runs either.
        data: pictures of the classes: some of them enter the parity check, and the accuracy of
            the exported graph on `test` enters the manifest. Without it the check draws noise.
        say: is told what happens.

    Returns:
        The published manifest.

    Raises:
        RunInvalid: no finished run there.
        DataInvalid: `data` holds no pictures of class folders.
        ArchitectureUnsupported, ParityFailed, PublicationFailed: nothing was published.
        RepositoryInvalid: an earlier version of the model cannot be read.
    """
    run = load_run(run_folder)
    model = run.model()
    size = run.manifest.input_size
    version = next_version(repository, name)
    earlier = _earlier(repository, name, engine)
    splits = load_dataset([data], size).splits if data else {}

    say(f"building the graphs of {name} version {version}")
    hot, explain = HotGraph(model, size), ExplainGraph(model)
    with tempfile.TemporaryDirectory(prefix="pawsight-export-") as folder:
        staged = Path(folder)
        graphs = {
            graph: stage_graph(staged, graph, version, to_onnx(module, module.output_names, size))
            for graph, module in ((name, hot), (name + EXPLAIN_SUFFIX, explain))
        }
        manifest = Manifest(
            name=name,
            version=version,
            created=datetime.now(UTC),
            architecture=run.manifest.architecture,
            classes=run.manifest.classes,
            input_size=size,
            preprocessing=run.manifest.preprocessing,
            layers=_layers(model.features, graphs[name + EXPLAIN_SUFFIX].outputs),
            precision="fp32",
            engine=engine,
            weights_sha256=run.manifest.weights_sha256,
            graphs=graphs,
            training_run=_training_run(run),
            libraries={library: importlib.metadata.version(library) for library in _LIBRARIES},
        )
        stage_manifest(staged, manifest, earlier)

        say("checking both graphs against PyTorch and Captum")
        pictures = check_pictures(size, splits["test"].pictures if "test" in splits else None)
        parity = check_parity(
            model,
            pictures,
            infer_staged(staged, manifest, name, pictures, hot.output_names),
            infer_staged(staged, manifest, manifest.explain_name, pictures, explain.output_names),
        )
        metrics = dict(run.manifest.metrics)
        if "test" in splits:
            say(f"measuring the exported graph on {len(splits['test'])} test pictures")
            answers = infer_staged(
                staged, manifest, name, splits["test"].pictures, ("probabilities",)
            )
            hits = answers["probabilities"].argmax(axis=1) == splits["test"].labels
            metrics["test, as exported"] = {
                "accuracy": float(hits.mean()),
                "pictures": float(len(hits)),
            }
        manifest = manifest.model_copy(update={"parity": parity, "metrics": metrics})
        stage_manifest(staged, manifest, earlier)
        publish(staged, repository, name, version)
    say(f"published {name} version {version} in {repository}")
    return manifest


def _earlier(repository: Path, name: str, engine: Engine) -> list[Manifest]:
    """Return the model's published versions; Triton runs all of them in one backend."""
    versions = published_versions(repository, name)
    earlier = [read_manifest(repository, name, version) for version in versions]
    for manifest in earlier:
        if manifest.engine != engine:
            raise PublicationFailed(
                f"{name} version {manifest.version} in {repository} was exported for "
                f"{manifest.engine}, and all versions of a model run on one engine; export with "
                f"--engine {manifest.engine}, under another --name or to another --repository."
            )
    return earlier


def check_pictures(
    size: tuple[int, int], real: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Return the pictures of the parity check, uint8 [N, H, W, 3].

    Flat ones are always among them: nothing but ties, they show a wrong way through a max-pool.
    """
    noise = np.random.default_rng(0).integers(0, 256, (_CHECK_PICTURES, *size, 3), np.uint8)
    flat = [np.full((1, *size, 3), level, np.uint8) for level in (0, 128, 255)]
    if real is None or len(real) == 0:
        return np.concatenate([*flat, noise])
    chosen = np.linspace(0, len(real) - 1, min(_CHECK_PICTURES, len(real)), dtype=int)
    return np.concatenate([*flat, noise[:4], np.stack([real[i] for i in chosen])])


def _layers(features: nn.Sequential, outputs: dict[str, tuple[int, ...]]) -> tuple[Layer, ...]:
    layers = []
    for name, layer in features.named_children():
        if isinstance(layer, nn.ReLU):
            continue
        channels, height, width = outputs[f"activation:{name}"]
        layers.append(
            Layer(
                name=name,
                kind="conv" if isinstance(layer, nn.Conv2d) else "pool",
                channels=channels,
                height=height,
                width=width,
            )
        )
    return tuple(layers)


def _training_run(run: Run) -> dict[str, str | int | float]:
    """Return how to find and repeat the training."""
    manifest = run.manifest
    return {
        "recipe": manifest.recipe_name,
        "created": manifest.created.isoformat(),
        "seed": manifest.seed,
        "epochs": manifest.epochs_trained,
        "training_pictures": sum(manifest.data.counts["train"].values()),
        "data_sha256": manifest.data.digests["train"],
    }
