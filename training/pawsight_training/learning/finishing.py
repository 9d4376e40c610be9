"""From the last epoch to a finished run."""

from __future__ import annotations

import platform
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import torch

from pawsight_serving.repository.manifest import Preprocessing
from pawsight_training.architectures import fold_batch_norm
from pawsight_training.evaluation.evaluation import evaluate_model
from pawsight_training.evaluation.report import write_run_report
from pawsight_training.learning.checkpoints import read_best
from pawsight_training.runs.run import DataSummary, RunManifest, write_manifest, write_weights

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pawsight_training.architectures import ConvNet
    from pawsight_training.data.dataset import Dataset
    from pawsight_training.learning.job import Job
    from pawsight_training.learning.learner import Learner
    from pawsight_training.runs.history import Row

LIBRARIES: Final = ("pawsight", "torch", "torchvision", "lightning", "numpy", "pillow")


def finish_run(job: Job, learner: Learner, rows: Sequence[Row], out: Path) -> None:
    """Keep the weights of the best epoch, measure them, and write the run's files.

    The manifest comes last: until then the folder is no finished run.
    """
    best = read_best(out)
    learner.load_state_dict(best["state_dict"])
    net = fold_batch_norm(learner.net).to(memory_format=torch.contiguous_format)
    evaluations = {
        name: evaluate_model(net, split)
        for name, split in job.data.splits.items()
        if name != "train"
    }
    weights = list(net.parameters())
    manifest = RunManifest(
        created=datetime.now(UTC),
        recipe_name=job.recipe_name,
        recipe=job.recipe,
        architecture=job.recipe.architecture,
        classes=job.data.classes,
        input_size=job.data.input_size,
        preprocessing=_preprocessing(net),
        seed=job.seed,
        precision=job.machine.precision,
        data=_summary(job.data),
        epochs_trained=len(rows),
        best_epoch=best["epoch"] + 1,
        metrics={name: evaluation.metrics for name, evaluation in evaluations.items()},
        initial_weights=(
            {"source": job.weights.source, "sha256": job.weights.sha256} if job.weights else None
        ),
        weights_sha256=write_weights(out, net),
        parameters=sum(weight.numel() for weight in weights),
        trainable_parameters=sum(weight.numel() for weight in weights if weight.requires_grad),
        duration_s=round(sum(row["seconds"] for row in rows), 1),
        libraries={"python": platform.python_version()}
        | {library: version(library) for library in LIBRARIES},
    )
    write_run_report(out, manifest, rows, evaluations, job.data)
    write_manifest(out, manifest)


def _preprocessing(net: ConvNet) -> Preprocessing:
    mean, std = (tuple(values.flatten().tolist()) for values in net.normalise.buffers())
    return Preprocessing(mean=mean, std=std)


def _summary(data: Dataset) -> DataSummary:
    counts = {name: Counter(split.labels.tolist()) for name, split in data.splits.items()}
    return DataSummary(
        sources=data.sources,
        counts={
            name: {label: count[index] for index, label in enumerate(data.classes)}
            for name, count in counts.items()
        },
        digests={name: split.digest for name, split in data.splits.items()},
        skipped=tuple(file.name for file in data.skipped),
        held_out=data.held_out,
    )
