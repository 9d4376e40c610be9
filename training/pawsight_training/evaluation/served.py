"""How well a model of the repository does, run as serving runs it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import numpy as np

from pawsight_serving.requests.deadlines import Deadline
from pawsight_training.errors import TrainingError
from pawsight_training.evaluation.evaluation import Evaluation
from pawsight_training.progress import tracked

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_serving.engines.protocol import Engine
    from pawsight_serving.repository.manifest import Manifest
    from pawsight_training.data.dataset import Split

BATCH: Final = 8
TIMEOUT_S: Final = 120.0


def served_manifest(repository: Path, name: str) -> Manifest:
    """Return the manifest of the newest version of a model.

    Raises:
        TrainingError: what reads a repository is not installed.
        RepositoryInvalid, ModelNotFound: nothing there that is served, or no such model.
    """
    try:
        from pawsight_serving.repository.served import read_model
    except ModuleNotFoundError as error:
        raise _missing() from error
    return read_model(repository, name)


def evaluate_served(repository: Path, manifest: Manifest, split: Split) -> Evaluation:
    """Run a served model on every picture of a split, through the embedded engine.

    Raises:
        TrainingError: there is no ONNX Runtime.
        PawsightError: the engine cannot load or run the model.
    """
    try:
        from pawsight_serving.engines.embedded import EmbeddedEngine
    except ModuleNotFoundError as error:
        raise _missing() from error
    # Other models may be broken, or another engine's.
    engine = EmbeddedEngine(repository, graphs="hot", without_broken=True)
    return asyncio.run(_evaluate(engine, manifest, split))


async def _evaluate(engine: Engine, manifest: Manifest, split: Split) -> Evaluation:
    batches = []
    try:
        await engine.start()
        for start in tracked(range(0, len(split), BATCH), "Evaluating"):
            pictures = np.ascontiguousarray(split.pictures[start : start + BATCH])
            answer = await engine.infer(
                manifest.name,
                manifest.version,
                pictures,
                ["probabilities"],
                Deadline.after(TIMEOUT_S),
            )
            batches.append(answer["probabilities"])
    finally:
        await engine.close()
    return Evaluation(np.concatenate(batches), split.labels)


def _missing() -> TrainingError:
    return TrainingError(
        "Served models need ONNX Runtime; install it with: pip install 'pawsight[serving]'"
    )
