"""From a finished run to a published version: build, stage, check, publish."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pawsight_export.checks.checking import check_staged
from pawsight_export.errors import NameInvalid, PublicationFailed
from pawsight_export.filters import grids_to_publish
from pawsight_export.graphs.precisions import build_graphs
from pawsight_export.graphs.tensorrt_plan import load_tensorrt
from pawsight_export.pictures import pictures_to_calibrate, pictures_to_measure
from pawsight_export.publishing.earlier import read_earlier
from pawsight_export.publishing.publication import next_version, publish
from pawsight_export.publishing.staging import compile_staged, stage_manifest, stage_version
from pawsight_export.publishing.writability import refuse_unwritable
from pawsight_export.temporary_files import temporary_files
from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.process.temporary_folder import temporary_folder
from pawsight_serving.repository.directory import published_versions, readable_manifests
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX
from pawsight_serving.repository.rollback import rollback_command
from pawsight_serving.repository.served import served_versions
from pawsight_training.runs.run import load_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pawsight_export.request import ExportRequest
    from pawsight_serving.repository.manifest import Manifest

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def export_run(request: ExportRequest, say: Callable[[str], None] = lambda _: None) -> Manifest:
    """Export a run as the next version of a model.

    Args:
        request: what is asked for.
        say: is told what happens.

    Returns:
        The published manifest.

    Raises:
        NameInvalid: the name is none that a model can have.
        RunInvalid: no finished run there.
        DataInvalid: `data` holds no pictures of class folders, or other classes than the run's.
        CalibrationMissing: a precision below fp32 without the pictures that it needs, or int8 with
            validation or test pictures among them.
        ArchitectureUnsupported, ParityFailed, PrecisionInsufficient, PlanNotBuilt,
            PublicationFailed, TemporaryFilesUnwritable: nothing was published.
        RepositoryInvalid: the model's folder cannot be read, or another command is changing the
            model.
    """
    name, repository = request.name, request.repository
    _check_name(name)
    refuse_unwritable(repository, name)
    # What is not given now would be missed after the minutes of work, when it is asked for again.
    read_earlier(repository, name)
    if request.engine == "tensorrt":
        # Before minutes of building and checking, not after them.
        load_tensorrt()
    run = load_run(request.run)
    model = run.model()
    grids = grids_to_publish(request.filters, model) if request.filters else {}
    size = run.manifest.input_size
    version = next_version(repository, name)
    _refuse_other_engines(request)
    test = pictures_to_measure(request, run.manifest)
    for file in test.skipped if test else ():
        say(f"skipped {file.name}: {file.reason}")
    calibration = pictures_to_calibrate(request, size)
    with temporary_files(), temporary_folder("pawsight-export-") as staged:
        say(f"building the graphs of {name} version {version} in {request.precision}")
        built = build_graphs(model, size, request.precision, calibration)
        manifest = stage_version(
            staged,
            run,
            name,
            version,
            built,
            engine=request.engine,
            precision=request.precision,
            grids=grids,
        )
        if calibration:
            manifest = manifest.model_copy(update={"calibration": calibration.summary()})
        stage_manifest(staged, manifest)
        repeat = request.command()
        manifest = check_staged(staged, manifest, model, built.explained, test, repeat, say)
        if request.engine == "tensorrt":
            say(
                "building TensorRT's plans, which takes minutes; they are not measured, and all "
                "figures are of the graphs that they are built from"
            )
            manifest = compile_staged(staged, manifest)
        stage_manifest(staged, manifest)
        before = _served_now(repository, name)
        there = published_versions(repository, name)
        served = _publish(staged, request, version, say)
    say(f"published {name} version {version} in {repository}")
    kept = published_versions(repository, name)
    if removed := [other for other in there if other not in kept]:
        say(f"removed what was rolled back or is beyond --keep: version {', '.join(removed)}")
    for other in readable_manifests(repository, name, kept):
        if other.version in before and other.version not in served:
            say(_withdrawn(repository, name, other.version))
    return manifest


def _publish(
    staged: Path, request: ExportRequest, version: str, say: Callable[[str], None]
) -> list[str]:
    """Publish what was staged; return the versions that are served now."""
    repository, name = request.repository, request.name
    try:
        return publish(staged, repository, name, version, keep=request.keep)
    except KeyboardInterrupt:
        if version in _served_now(repository, name):
            say(f"stopped too late: {name} version {version} is published in {repository}")
        raise


def _withdrawn(repository: Path, name: str, version: str) -> str:
    return (
        f"version {version} is no longer served, as one configuration cannot serve both: its "
        "input size, classes, outputs or precision differs. It is kept; serve it again "
        f"with: {rollback_command(repository, name, version)}"
    )


def _served_now(repository: Path, name: str) -> list[str]:
    """Return the versions that are served; none where no configuration says which."""
    try:
        return served_versions(repository, name)
    except RepositoryInvalid:
        return []


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None or name.endswith(EXPLAIN_SUFFIX):
        raise NameInvalid(
            f"{name!r} cannot be a model's name: it has letters, digits, dots, dashes and "
            f"underscores, begins with a letter or digit, and does not end in {EXPLAIN_SUFFIX}, "
            "which is the name of its explanations; choose another --name."
        )


def _refuse_other_engines(request: ExportRequest) -> None:
    repository, name = request.repository, request.name
    versions = published_versions(repository, name)
    for manifest in readable_manifests(repository, name, versions):
        if manifest.engine != request.engine:
            raise PublicationFailed(
                f"{name} version {manifest.version} in {repository} was exported for "
                f"{manifest.engine}, and all versions of a model run on one engine; export with "
                f"--engine {manifest.engine}, under another --name or to another --repository."
            )
