"""What a staged version must pass before it is published, and the figures that it then carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pawsight_export.checks.agreement import (
    measure_agreement,
    reference_outputs,
    refuse_disagreement,
)
from pawsight_export.checks.parity import check_parity
from pawsight_export.checks.staged_engine import StagedEngine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from pawsight_serving.repository.manifest import Manifest
    from pawsight_training.architectures import ConvNet
    from pawsight_training.data.dataset import Split

_CHECK_PICTURES: Final = 16
# Beside real ones: in noise no two neighbours tie, as they do wherever a picture is flat.
_NOISE_BESIDE_REAL: Final = 6


def check_staged(
    staged: Path,
    manifest: Manifest,
    model: ConvNet,
    explained: ConvNet,
    test: Split | None,
    repeat: str,
    say: Callable[[str], None],
) -> Manifest:
    """Return the manifest with what was measured.

    Args:
        staged: a folder in the repository's layout.
        manifest: of the version in it.
        model: the run's net, in float32.
        explained: the net with the weights that the graphs hold; the same net in fp32.
        test: the test pictures; None where there are none, and then nothing is said of accuracy.
        repeat: the command that repeats all this.
        say: is told what happens.

    Raises:
        ParityFailed: a graph does not compute what PyTorch and Captum do.
        PrecisionInsufficient: a graph of lower precision loses too much.
    """
    hot, explain = manifest.name, manifest.explain_name
    outputs = {graph: tuple(manifest.graphs[graph].outputs) for graph in manifest.graphs}
    exact = manifest.precision == "fp32"

    metrics = dict(manifest.metrics)
    agreement: dict[str, float] = {}
    say("checking both graphs against PyTorch and Captum")
    pictures = check_pictures(manifest.input_size, test.pictures if test else None)
    # On the processor, even where a GPU will serve: it is the graphs that are checked here. A GPU
    # rounds further, and in the first layers rounding decides in more pictures than are let pass.
    with StagedEngine(staged, manifest, gpu=False) as engine:
        parity = check_parity(
            explained,
            pictures,
            engine.infer(hot, pictures, outputs[hot]) if exact else None,
            engine.infer(explain, pictures, outputs[explain]),
            repeat,
        )
    if test is not None:
        say(f"measuring the exported graph on {len(test)} test pictures")
        with StagedEngine(staged, manifest) as engine:
            served = engine.infer(hot, test.pictures, outputs[hot])
        hits = served["probabilities"].argmax(axis=1) == test.labels
        planned = manifest.engine == "tensorrt"
        metrics[f"test, {'before the plan was built' if planned else 'as exported'}"] = {
            "accuracy": float(hits.mean()),
            "pictures": float(len(hits)),
        }
        if not exact:
            say("comparing its answers and maps with the float32 model's")
            reference = reference_outputs(model, test.pictures, manifest.input_size)
            agreement = measure_agreement(served, reference, test.labels)
            refuse_disagreement(manifest.precision, agreement, repeat)
    return manifest.model_copy(
        update={"parity": parity, "agreement": agreement, "metrics": metrics}
    )


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
    return np.concatenate([*flat, noise[:_NOISE_BESIDE_REAL], np.stack([real[i] for i in chosen])])
