"""`pawsight explain-check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from pawsight_export.errors import ExportError
from pawsight_export.explain_check.checked_model import CheckedModel
from pawsight_export.explain_check.other_precisions import (
    compare_precisions,
    other_precisions,
    read_published,
)
from pawsight_export.explain_check.pointing import make_grids, measure_pointing
from pawsight_export.explain_check.randomisation import cascade
from pawsight_export.temporary_files import temporary_files
from pawsight_serving.command_errors import told_in_one_sentence
from pawsight_serving.explanations.methods.registry import offered_methods
from pawsight_serving.options import REPOSITORY_OPTION
from pawsight_serving.repository.served import read_model
from pawsight_training import display
from pawsight_training.data.dataset import load_dataset
from pawsight_training.errors import DataInvalid, TrainingError
from pawsight_training.options import CLASSES_HELP, class_names
from pawsight_training.progress import tracked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pawsight_serving.repository.manifest import Manifest
    from pawsight_training.data.dataset import Split

# Those that a model answers in one pass.
_QUICK = ("grad-cam", "hirescam", "layercam", "grad-cam++", "saliency")


@click.command("explain-check")
@click.argument("model")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with pictures of the classes in test/.",
)
@REPOSITORY_OPTION
@click.option("--classes", help=CLASSES_HELP)
@click.option("--version", default="", help="[default: the newest that is served]")
@click.option(
    "--method", "methods", multiple=True, help=f"May be repeated [default: {', '.join(_QUICK)}]."
)
@click.option("--pictures", type=click.IntRange(4), default=64, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@told_in_one_sentence(ExportError, TrainingError)
def explain_check(
    model: str,
    data: Path,
    repository: Path,
    classes: str | None,
    version: str,
    methods: Sequence[str],
    pictures: int,
    as_json: bool,
) -> None:
    """Measure how far MODEL's explanations can be trusted.

    Precisions: do versions of the same weights see the same? Randomisation: do maps change when
    the weights are random (Adebayo et al., 2018)? Pointing: where two classes stand in one picture,
    does each one's evidence lie on its own (Böhle et al., 2021)?
    """
    checked = CheckedModel(repository, read_model(repository, model, version))
    manifest = checked.manifest
    offered = offered_methods(manifest)
    chosen = tuple(methods) or tuple(each for each in _QUICK if each in offered)
    for method in chosen:
        if method not in offered or method == "activations":
            raise click.UsageError(f"{model} offers no maps of evidence by {method!r}.")
    images, labels = _chosen(_test_pictures(data, manifest, classes), pictures)
    published = read_published(repository)
    with temporary_files():
        figures = {
            "model": f"{manifest.name} {manifest.version}",
            "precision": manifest.precision,
            "pictures": len(images),
            "precisions": [
                compare_precisions(checked, each, images)
                for each in tracked(other_precisions(checked, published), "Precisions")
            ],
            "randomisation": _randomisation(checked, chosen, images),
            "pointing": _pointing(checked, chosen, images, labels),
        }
    click.echo(json.dumps(figures, indent=2) if as_json else _table(figures))


def _test_pictures(data: Path, manifest: Manifest, classes: str | None) -> Split:
    found = load_dataset([data], manifest.input_size, classes=class_names(classes), only=("test",))
    if found.classes != manifest.classes:
        raise DataInvalid(
            f"{data} has the classes {', '.join(found.classes)}, and {manifest.name} "
            f"{', '.join(manifest.classes)}; name the folders' classes with --classes, or give "
            "other pictures with --data."
        )
    display.skipped(found)
    return found.splits["test"]


def _chosen(test: Split, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return pictures spread evenly over the split, so that all classes are among them."""
    places = np.linspace(0, len(test) - 1, min(count, len(test)), dtype=int)
    images = np.stack([test.pictures[place] for place in places])
    return images, np.asarray([int(test.labels[place]) for place in places], np.int64)


def _randomisation(
    checked: CheckedModel, methods: Sequence[str], images: NDArray[np.uint8]
) -> dict[str, Any]:
    if checked.manifest.precision != "fp32":
        return {}
    steps = tracked(methods, "Randomisation")
    return {method: dict(cascade(checked, method, images)) for method in steps}


def _pointing(
    checked: CheckedModel,
    methods: Sequence[str],
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
) -> dict[str, Any]:
    grids, owners = make_grids(images, labels, (0, 1))
    if not len(grids):
        return {}
    steps = tracked(methods, "Pointing")
    return {method: measure_pointing(checked, method, grids, owners) for method in steps}


def _table(figures: dict[str, Any]) -> str:
    lines = [f"{figures['model']} ({figures['precision']}), {figures['pictures']} pictures", ""]
    lines.append("Precisions: correlation of Grad-CAM maps of the same weights (wanted: near 1)")
    lines += [
        f"  {each['with']}: median {each['median correlation']:.3f}, lowest twentieth "
        f"{each['lowest twentieth']:.3f}, same class {each['same class']:.1%}"
        for each in figures["precisions"]
    ] or ["  there is no other precision of these weights in the repository"]
    lines += [
        "",
        "Randomisation: rank correlation with the model's own maps, once a layer and all above it "
        "are random (wanted: near 0)",
    ]
    for method, layers in figures["randomisation"].items():
        said = "  ".join(f"{layer} {value:.2f}" for layer, value in layers.items())
        lines.append(f"  {method:12} {said}")
    if not figures["randomisation"]:
        lines.append("  only of a version in fp32, which holds its weights as they are")
    lines += [
        "",
        "Pointing: of a class's evidence, where both stand in one picture (wanted: 100 %, chance "
        "50 %)",
    ]
    for method, found in figures["pointing"].items():
        lines.append(
            f"  {method:12} on its own cells {found['evidence on its own']:.1%}, "
            f"peak {found['peak on its own']:.1%}, empty maps {found['empty']:.1%}"
        )
    if not figures["pointing"]:
        lines.append("  needs two pictures of each class")
    return "\n".join(lines)
