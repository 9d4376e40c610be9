"""The files that show how well a model does: figures, and a page of Markdown around them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pawsight_training.errors import RunInvalid
from pawsight_training.evaluation import plots

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pawsight_training.data.dataset import Dataset, Split
    from pawsight_training.evaluation.evaluation import Evaluation
    from pawsight_training.runs.history import Row
    from pawsight_training.runs.run import RunManifest

PAGE: Final = "README.md"
CURVES: Final = "learning-curves.png"
_OURS: Final = "Written by `pawsight evaluate`, which replaces it when it is asked again."
_MARKUP: Final = re.compile(r"[\\`*_\[\]<>|~$&]")


def write_run_report(
    out: Path,
    manifest: RunManifest,
    rows: Sequence[Row],
    evaluations: Mapping[str, Evaluation],
    data: Dataset,
) -> None:
    """Write the model card of a run and its figures, on `test` where there is one."""
    plots.learning_curves(rows).savefig(out / CURVES)
    name = "test" if "test" in evaluations else "validation"
    sections = [
        _origin(manifest),
        _table(manifest.metrics),
        f"![Learning curves]({CURVES})",
        _figures(out, name, evaluations[name], data.splits[name], data.classes),
        _use(manifest),
    ]
    title = f"# {manifest.architecture}, recipe {manifest.recipe_name}"
    _write(out, title, sections)


def refuse_page(out: Path) -> None:
    """Refuse a folder with a page that is no report of an evaluation, such as a run's model card.

    Raises:
        RunInvalid: there is one.
    """
    page = out / PAGE
    if page.exists() and _OURS not in page.read_text(errors="replace"):
        raise RunInvalid(
            f"The {PAGE} in {out} is no report of an evaluation, and would be lost; give another "
            "folder with --out."
        )


def write_evaluation_report(
    out: Path,
    subject: str,
    evaluations: Mapping[str, Evaluation],
    data: Dataset,
) -> None:
    """Write the same figures for any model, each split in a part of its own.

    Raises:
        RunInvalid: the folder cannot be written.
    """
    sections = [_table({name: evaluation.metrics for name, evaluation in evaluations.items()})]
    try:
        out.mkdir(parents=True, exist_ok=True)
        sections += [
            _figures(out, name, evaluation, data.splits[name], data.classes)
            for name, evaluation in evaluations.items()
        ]
        _write(out, f"# {_literal(subject)} on {_listed(data.sources)}", [*sections, _OURS])
    except OSError as error:
        raise RunInvalid(
            f"The figures cannot be written to {out} ({error.strerror}); "
            "give another folder with --out."
        ) from error


def _write(out: Path, title: str, sections: Sequence[str]) -> None:
    (out / PAGE).write_text("\n\n".join((title, *sections)) + "\n")


def _origin(manifest: RunManifest) -> str:
    height, width = manifest.input_size
    train = sum(manifest.data.counts["train"].values())
    weights = manifest.initial_weights
    start = f"the weights of {_literal(weights['source'])}" if weights else "fresh weights"
    return (
        f"Tells apart: {_listed(manifest.classes)}. {manifest.parameters:,} parameters, "
        f"{manifest.trainable_parameters:,} of them trained, from {start}, on {train} pictures of "
        f"{_listed(manifest.data.sources)} squashed to {height}x{width} pixels; "
        f"{manifest.epochs_trained} epochs in {manifest.duration_s / 60:.1f} minutes "
        f"(precision {manifest.precision}, seed {manifest.seed}). "
        f"The weights are those of epoch {manifest.best_epoch}, the best on `validation`."
    )


def _table(metrics: Mapping[str, Mapping[str, float]]) -> str:
    rows = [
        "| split | accuracy | loss | ROC AUC | calibration error |",
        "|---|---|---|---|---|",
    ]
    rows += [
        f"| {name} | {figures['accuracy']:.2%} | {figures['loss']:.4f} "
        f"| {figures['roc_auc']:.4f} | {figures['calibration_error']:.4f} |"
        for name, figures in metrics.items()
    ]
    return "\n".join(rows)


def _figures(
    out: Path, name: str, evaluation: Evaluation, split: Split, classes: Sequence[str]
) -> str:
    drawn = {
        "Confusion matrix": plots.confusion_matrix(evaluation, classes),
        "ROC": plots.roc(evaluation, classes),
        "Calibration": plots.calibration(evaluation),
    }
    if (evaluation.predicted != evaluation.labels).any():
        drawn["Most wrong"] = plots.mistakes(evaluation, split, classes)
    lines = [f"## {name}"]
    for title, figure in drawn.items():
        file = f"{name}-{title.lower().replace(' ', '-')}.png"
        figure.savefig(out / file)
        lines.append(f"![{title}]({file})")
    return "\n\n".join(lines)


def _use(manifest: RunManifest) -> str:
    return (
        "## Use\n\n"
        f"It knows only the classes {_listed(manifest.classes)}: of any other picture it still "
        "names one of them. It was measured on pictures like those it learnt from; measure it on "
        "yours with `pawsight evaluate`."
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(_literal, names))


def _literal(text: str) -> str:
    """Return a name so that Markdown shows it as it is."""
    return _MARKUP.sub(r"\\\g<0>", text)
