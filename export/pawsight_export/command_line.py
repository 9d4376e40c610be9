"""`pawsight export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from pawsight_export.errors import ExportError
from pawsight_export.exporting import export_run
from pawsight_export.graphs.calibration import Method
from pawsight_export.graphs.precisions import Precision
from pawsight_export.publishing.publication import KEEP
from pawsight_export.publishing.staging import Engine
from pawsight_export.request import ExportRequest
from pawsight_serving.command_errors import told_in_one_sentence
from pawsight_serving.options import REPOSITORY_OPTION
from pawsight_training.errors import TrainingError
from pawsight_training.options import CLASSES_HELP, class_names

if TYPE_CHECKING:
    from pawsight_serving.repository.manifest import Manifest


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="The model's name in the repository.")
@REPOSITORY_OPTION
@click.option(
    "--engine",
    type=click.Choice(get_args(Engine)),
    default="onnxruntime",
    show_default=True,
    help="Triton backend that runs the graphs: ONNX Runtime, OpenVINO or TensorRT, or the Python "
    "backend, which `pawsight triton` has. OpenVINO's backend computes floats in bfloat16 where "
    "the processor has it, and no parameter forbids it: maps then deviate from the exported ones.",
)
@click.option(
    "--precision",
    type=click.Choice(get_args(Precision)),
    default="fp32",
    show_default=True,
    help="Precision of the weights and of the predictions' arithmetic. Below fp32, --data must "
    "have a test folder, on which the graph is compared with the float32 model.",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, file_okay=False),
    help="Pictures whose train folder int8 takes its ranges from [default: --data].",
)
@click.option(
    "--calibration-method",
    type=click.Choice(get_args(Method)),
    default="minmax",
    show_default=True,
    help="How int8's ranges are derived from those pictures.",
)
@click.option(
    "--filters",
    type=click.Path(path_type=Path, file_okay=False),
    help="What `pawsight filters` drew of the run, to be published with the model.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Pictures to check parity on and, where it has a test folder, to measure accuracy on.",
)
@click.option("--classes", help=CLASSES_HELP)
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=KEEP,
    show_default=True,
    help="Versions of the model to keep in the repository, this one included.",
)
@told_in_one_sentence(ExportError, TrainingError)
def export(run: Path, name: str, repository: Path, classes: str | None, **options: Any) -> None:
    """Publish RUN as a new version of a model, after its checks passed.

    The repository is made where there is none.
    """
    request = ExportRequest(run, name, repository, classes=class_names(classes), **options)
    click.echo(_summary(export_run(request, click.echo)))


def _summary(manifest: Manifest) -> str:
    lines = [
        f"{check}: {value:.4g}"
        for figures in (manifest.parity, manifest.agreement)
        for check, value in figures.items()
    ]
    lines += [
        f"{split} accuracy: {figures['accuracy']:.4f}"
        for split, figures in manifest.metrics.items()
        if "accuracy" in figures
    ]
    return "\n".join(f"  {line}" for line in lines)
