"""The commands of training; the `pawsight` program lists them."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import torch

from pawsight_serving.errors import ModelNotFound, RepositoryInvalid
from pawsight_serving.options import REPOSITORY_OPTION
from pawsight_training import display
from pawsight_training.data.dataset import load_dataset
from pawsight_training.data.folders import SPLITS, list_pictures
from pawsight_training.errors import DataInvalid, TrainingError
from pawsight_training.evaluation.evaluation import evaluate_model
from pawsight_training.evaluation.served import evaluate_served, served_manifest
from pawsight_training.filters import write_filters
from pawsight_training.learning.initialisation import starting_net
from pawsight_training.learning.job import Job
from pawsight_training.machine import Machine, Precision, best_precision
from pawsight_training.options import (
    CACHE_HELP,
    CLASSES_HELP,
    RECIPES_OWN,
    InputSize,
    class_names,
    data_folders,
    one_sentence,
    seed_option,
)
from pawsight_training.recipes import RECIPES, Recipe
from pawsight_training.runs.packing import pack_run
from pawsight_training.runs.resuming import finished_before, refuse_other_pictures
from pawsight_training.runs.run import is_begun, load_run
from pawsight_training.runs.run_folder import refuse_unusable
from pawsight_training.runs.weights import Weights, read_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from pawsight_serving.repository.manifest import Manifest
    from pawsight_training.architectures import ConvNet
    from pawsight_training.data.dataset import Dataset, Split
    from pawsight_training.evaluation.evaluation import Evaluation
    from pawsight_training.runs.run import RunManifest


@click.command()
@click.argument("recipe", metavar="RECIPE", type=click.Choice(list(RECIPES)))
@data_folders
@click.option("--weights", help="Start from 'imagenet', a weights file or a run folder.")
@click.option("--out", type=click.Path(path_type=Path), help="The run folder to write.")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
@click.option("--dry-run", is_flag=True, help="Print the layers and stop.")
@click.option("--classes", help=CLASSES_HELP)
@click.option("--epochs", type=int, help=RECIPES_OWN)
@click.option("--batch-size", type=int, help=RECIPES_OWN)
@click.option("--learning-rate", type=float, help=RECIPES_OWN)
@click.option(
    "--schedule", type=click.Choice(["constant", "one-cycle", "cosine"]), help=RECIPES_OWN
)
@click.option("--dropout", type=float, help=RECIPES_OWN)
@click.option("--average", type=float, metavar="DECAY", help="Keep a moving average of weights.")
@click.option("--patience", type=int, help="Stop after so many epochs without improvement.")
@seed_option
@click.option(
    "--input-size",
    type=InputSize(),
    default="150",
    show_default=True,
    help="Pixels that the pictures are squashed to.",
)
@click.option("--cache", type=click.Path(path_type=Path), help=CACHE_HELP)
@click.option(
    "--precision", type=click.Choice(["32", "bf16"]), help="Default: what is fastest here."
)
@click.option(
    "--accelerator", default="auto", show_default=True, help="Lightning's name: cpu, gpu."
)
@click.option(
    "--devices",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Accelerators of each machine.",
)
@click.option(
    "--nodes",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Machines that train together.",
)
@click.option("--strategy", default="auto", show_default=True, help="Lightning's name: ddp, fsdp.")
@one_sentence
def train(
    *,
    recipe: str,
    folders: tuple[Path, ...],
    weights: str | None,
    out: Path | None,
    resume: bool,
    dry_run: bool,
    classes: str | None,
    seed: int,
    input_size: tuple[int, int],
    cache: Path | None,
    precision: Precision | None,
    accelerator: str,
    devices: int,
    nodes: int,
    strategy: str,
    **changes: Any,
) -> None:
    """Train a net by a RECIPE on folders of pictures.

    RECIPE is scratch or scratch-augmented (a small convnet), features, frozen-augmented or
    fine-tune (VGG16 from learnt weights), or end-to-end (all of VGG16).
    """
    chosen = _override(RECIPES[recipe], changes)
    labels = class_names(classes)
    start = read_weights(weights) if weights else None
    if dry_run:
        known = list_pictures(folders, seed=seed, classes=labels).classes
        net = _dry_net(chosen, len(known), input_size, start)
        display.layers(net, chosen.architecture, input_size)
        return
    if out is None:
        raise click.UsageError("Missing option '--out': name the run folder to write.")

    def load_pictures() -> Dataset:
        return load_dataset(folders, input_size, cache=cache, classes=labels, seed=seed)

    if resume:
        wanted = {
            "recipe": recipe,
            **dataclasses.asdict(chosen),
            "seed": seed,
            "input size": input_size,
            "classes": labels or None,
            "weights": start.sha256 if start else None,
        }
        if (finished := finished_before(out, wanted)) is not None:
            refuse_other_pictures(finished, load_pictures())
            click.echo(f"{out} was finished before; there is nothing left to train.")
            display.result(finished)
            return
    # Of several processes each runs this, and finds what the first one has begun; those are left to
    # the training, which knows which one it is.
    alone = devices * nodes == 1
    refuse_unusable(out, resume=resume, first=alone)
    machine = Machine(
        accelerator=accelerator,
        devices=devices,
        nodes=nodes,
        strategy=strategy,
        precision=precision or best_precision(accelerator),
    )
    # Decoding takes minutes the first time: what no picture would mend is told before it.
    known = list_pictures(folders, seed=seed, classes=labels).classes
    starting_net(chosen, len(known), input_size, seed=seed, weights=start)
    pictures = load_pictures()
    display.dataset(pictures)
    # Lightning takes seconds to import: not before options and data are known to be good.
    from pawsight_training.learning import training

    job = Job(
        recipe_name=recipe,
        recipe=chosen,
        data=pictures,
        seed=seed,
        machine=machine,
        weights=start,
    )
    display.result(training.train(job, out, resume=resume))


@click.command()
@click.argument("subject", metavar="RUN|MODEL")
@data_folders
@REPOSITORY_OPTION
@click.option(
    "--split",
    "splits",
    multiple=True,
    default=("test",),
    show_default=True,
    type=click.Choice(SPLITS),
    help="What to measure on; may be repeated. Class folders without splits are train.",
)
@click.option("--classes", help=CLASSES_HELP)
@click.option("--cache", type=click.Path(path_type=Path), help=CACHE_HELP)
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write a report into.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@one_sentence
def evaluate(
    *,
    subject: str,
    folders: tuple[Path, ...],
    repository: Path,
    splits: tuple[str, ...],
    classes: str | None,
    cache: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure a RUN folder, or a MODEL of the repository as it is served."""
    if out is not None:
        # Drawing takes a second to import, and figures on the screen need none of it.
        from pawsight_training.evaluation.report import refuse_page, write_evaluation_report

        refuse_page(out)
    measure: Callable[[Split], Evaluation]
    manifest: RunManifest | Manifest
    # A folder of pictures may bear a model's name.
    if is_begun(Path(subject)):
        run = load_run(Path(subject))
        manifest, measure = run.manifest, partial(evaluate_model, run.model())
    else:
        manifest = _served_manifest(repository, subject)
        measure = partial(evaluate_served, repository, manifest)
    pictures = load_dataset(
        folders, manifest.input_size, cache=cache, classes=class_names(classes), only=splits
    )
    if pictures.classes != manifest.classes:
        raise DataInvalid(
            f"The data has the classes {', '.join(pictures.classes)}, and the model "
            f"{', '.join(manifest.classes)}; name the folders' classes with --classes."
        )
    display.skipped(pictures)
    evaluations = {name: measure(split) for name, split in pictures.splits.items()}
    # First: what took minutes to measure is told though it cannot be written.
    display.figures(evaluations, pictures.classes, as_json=as_json)
    if out is not None:
        write_evaluation_report(out, Path(subject).name, evaluations, pictures)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--layer", "layers", multiple=True, help="May be repeated; default: every one.")
@click.option(
    "--filters",
    "count",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Of each layer, at most.",
)
@click.option(
    "--side",
    type=click.IntRange(32),
    default=128,
    show_default=True,
    help="Of a picture, in pixels.",
)
@click.option(
    "--steps", type=click.IntRange(1), default=64, show_default=True, help="Of gradient ascent."
)
@seed_option
@one_sentence
def filters(*, run: Path, out: Path, layers: tuple[str, ...], count: int, **options: int) -> None:
    """Draw what each filter of a RUN responds to most, a grid of pictures a layer."""
    net = load_run(run).model().to("cuda" if torch.cuda.is_available() else "cpu")
    for path in write_filters(net, out, layers, count, **options):
        click.echo(path)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@one_sentence
def pack(*, run: Path, out: Path) -> None:
    """Copy a RUN with its weights in float16, to keep, fine-tune from and export."""
    packed = pack_run(load_run(run), out)
    click.echo(f"{out}: weights sha256 {packed.manifest.weights_sha256}")


def _override(recipe: Recipe, changes: dict[str, Any]) -> Recipe:
    given = {name: value for name, value in changes.items() if value is not None}
    return dataclasses.replace(recipe, **given)


def _served_manifest(repository: Path, subject: str) -> Manifest:
    try:
        return served_manifest(repository, subject)
    except (ModelNotFound, RepositoryInvalid) as error:
        raise TrainingError(
            f"{subject} is not a run folder, and as a model it cannot be measured either: {error}"
        ) from error


def _dry_net(
    recipe: Recipe, classes: int, input_size: tuple[int, int], weights: Weights | None
) -> ConvNet:
    """Return the net as the recipe would start it; no weights are needed to look at it."""
    if weights is None:
        recipe = dataclasses.replace(recipe, start="anywhere")
    return starting_net(recipe, classes, input_size, seed=0, weights=weights)
