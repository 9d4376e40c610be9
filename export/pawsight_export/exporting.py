"""From a finished run to a published version: build, stage, check, publish."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

from pawsight_export.checks.checking import check_staged
from pawsight_export.errors import CalibrationMissing, NameInvalid, PublicationFailed
from pawsight_export.graphs.calibration import CalibrationSet, Method, calibration_set
from pawsight_export.graphs.precisions import Precision, build_graphs
from pawsight_export.graphs.tensorrt_plan import load_tensorrt
from pawsight_export.publishing.publication import KEEP, next_version, publish
from pawsight_export.publishing.staging import Engine, compile_staged, stage_manifest, stage_version
from pawsight_export.publishing.writability import refuse_unwritable
from pawsight_export.temporary_files import temporary_files
from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.process.temporary_folder import temporary_folder
from pawsight_serving.repository.directory import published_versions, readable_manifests
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX
from pawsight_serving.repository.served import served_versions
from pawsight_training.data.dataset import load_dataset
from pawsight_training.data.folders import list_pictures
from pawsight_training.errors import DataInvalid
from pawsight_training.runs.run import load_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pawsight_serving.repository.manifest import Manifest
    from pawsight_training.data.dataset import Split
    from pawsight_training.runs.run import RunManifest

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def export_run(
    run_folder: Path,
    name: str,
    repository: Path,
    *,
    engine: Engine = "onnxruntime",
    precision: Precision = "fp32",
    data: Path | None = None,
    classes: Sequence[str] = (),
    calibration: Path | None = None,
    calibration_method: Method = "minmax",
    filters: Path | None = None,
    keep: int = KEEP,
    say: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Export a run as the next version of a model.

    Args:
        run_folder: what `pawsight train` wrote.
        name: the model's name in the repository.
        repository: the model repository; made where it does not exist.
        engine: what runs the graphs in Triton: its ONNX Runtime or OpenVINO backend, a TensorRT
            plan built here, or a `model.py` in its Python backend. Pawsight's embedded engine
            runs all but the plan; the checks are made before the plan is built.
        precision: of the weights and of the hot graph's arithmetic.
        data: pictures of the classes: some of them enter the parity check, and the accuracy of
            the exported graph on `test` enters the manifest. Without it the check draws noise.
        classes: names that replace those of the folders of `data`, in folder-name order.
        calibration: pictures whose `train` shows int8 how large the maps get; None is `data`.
        calibration_method: how the ranges follow from them.
        filters: what `pawsight filters` drew of the run, to be published with the model.
        keep: how many versions to leave, newest first, this one included.
        say: is told what happens.

    Returns:
        The published manifest.

    Raises:
        NameInvalid: `name` is none that a model can have.
        RunInvalid: no finished run there.
        DataInvalid: `data` holds no pictures of class folders, or other classes than the run's.
        CalibrationMissing: a precision below fp32 without the pictures that it needs, or int8 with
            validation or test pictures among them.
        ArchitectureUnsupported, ParityFailed, PrecisionInsufficient, PlanNotBuilt,
            PublicationFailed, TemporaryFilesUnwritable: nothing was published.
        RepositoryInvalid: the model's folder cannot be read, or another command is changing the
            model.
    """
    _check_name(name)
    refuse_unwritable(repository, name)
    if engine == "tensorrt":
        # Before minutes of building and checking, not after them.
        load_tensorrt()
    run = load_run(run_folder)
    model = run.model()
    size = run.manifest.input_size
    version = next_version(repository, name)
    _refuse_other_engines(repository, name, engine)
    test = _test_pictures(data, run.manifest, classes, precision)
    for file in test.skipped if test else ():
        say(f"skipped {file.name}: {file.reason}")
    calibrated = None
    if precision == "int8":
        calibrated = _calibration(calibration or data, size, calibration_method)
        _refuse_held_out_pictures(calibrated, data, size, classes)
    repeat = _command(
        run_folder,
        name=name,
        repository=repository,
        engine=engine,
        precision=precision,
        data=data,
        classes=",".join(classes),
        calibration=calibration,
        calibration_method=calibration_method if calibrated else None,
        filters=filters,
        keep=keep,
    )
    with temporary_files(), temporary_folder("pawsight-export-") as staged:
        say(f"building the graphs of {name} version {version} in {precision}")
        built = build_graphs(model, size, precision, calibrated)
        manifest = stage_version(
            staged,
            run,
            name,
            version,
            built,
            engine=engine,
            precision=precision,
            filters=filters,
        )
        if calibrated:
            manifest = manifest.model_copy(update={"calibration": calibrated.summary()})
        stage_manifest(staged, manifest)
        manifest = check_staged(staged, manifest, model, built.explained, test, repeat, say)
        if engine == "tensorrt":
            say(
                "building TensorRT's plans, which takes minutes; they are not measured, and all "
                "figures are of the graphs that they are built from"
            )
            manifest = compile_staged(staged, manifest)
        stage_manifest(staged, manifest)
        before = _served_now(repository, name)
        try:
            served = publish(staged, repository, name, version, keep=keep)
        except KeyboardInterrupt:
            if version in _served_now(repository, name):
                say(f"stopped too late: {name} version {version} is published in {repository}")
            raise
    say(f"published {name} version {version} in {repository}")
    kept = published_versions(repository, name)
    for other in readable_manifests(repository, name, kept):
        if other.version in before and other.version not in served:
            say(_withdrawn(name, other.version))
    return manifest


def _command(run_folder: Path, **options: object) -> str:
    """Return the command line that exports a run with these options; empty ones are left out."""
    words = ["pawsight", "export", str(run_folder)]
    for name, value in options.items():
        if value:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def _served_now(repository: Path, name: str) -> list[str]:
    """Return the versions that are served; none where no configuration says which."""
    try:
        return served_versions(repository, name)
    except RepositoryInvalid:
        return []


def _withdrawn(name: str, version: str) -> str:
    return (
        f"version {version} is no longer served, as one configuration cannot serve both: its "
        "input size, classes, outputs or precision differs. It is kept; serve it again "
        f"with: pawsight repository rollback {name} --to {version}"
    )


def _test_pictures(
    data: Path | None, run: RunManifest, classes: Sequence[str], precision: Precision
) -> Split | None:
    test = None
    if data:
        listing = list_pictures([data], classes=classes, hold_out=False)
        if listing.classes != run.classes:
            raise DataInvalid(
                f"{data} has the classes {', '.join(listing.classes)}, and the run "
                f"{', '.join(run.classes)}; name the folders' classes with --classes, or give "
                "other pictures with --data."
            )
        if "test" in listing.splits:
            # Alone: of what the run was trained on nothing is asked here.
            only = load_dataset([data], run.input_size, classes=classes, only=("test",))
            test = only.splits["test"]
    if test is None and precision != "fp32":
        raise CalibrationMissing(
            f"An export in {precision} is held against the float32 model on real pictures; give a "
            "folder that has a test folder with --data."
        )
    return test


def _calibration(folder: Path | None, size: tuple[int, int], method: Method) -> CalibrationSet:
    if folder is None:
        raise CalibrationMissing(
            "int8 takes its ranges from training pictures; give their folder with --calibration."
        )
    return calibration_set(folder, size, method)


def _refuse_held_out_pictures(
    calibration: CalibrationSet, data: Path | None, size: tuple[int, int], classes: Sequence[str]
) -> None:
    """Refuse ranges that come from what is chosen by or measured on."""
    if data is None:
        return
    there = list_pictures([data], classes=classes, hold_out=False).splits
    held_out = [name for name in ("validation", "test") if name in there]
    for name, split in load_dataset([data], size, classes=classes, only=held_out).splits.items():
        known = {picture.tobytes() for picture in split.pictures}
        shared = sum(picture.tobytes() in known for picture in calibration.pictures)
        if shared:
            raise CalibrationMissing(
                f"{shared} of the {len(calibration.pictures)} calibration pictures are {name} "
                "pictures of --data; give training pictures with --calibration."
            )


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None or name.endswith(EXPLAIN_SUFFIX):
        raise NameInvalid(
            f"{name!r} cannot be a model's name: it has letters, digits, dots, dashes and "
            f"underscores, begins with a letter or digit, and does not end in {EXPLAIN_SUFFIX}, "
            "which is the name of its explanations; choose another --name."
        )


def _refuse_other_engines(repository: Path, name: str, engine: Engine) -> None:
    versions = published_versions(repository, name)
    for manifest in readable_manifests(repository, name, versions):
        if manifest.engine != engine:
            raise PublicationFailed(
                f"{name} version {manifest.version} in {repository} was exported for "
                f"{manifest.engine}, and all versions of a model run on one engine; export with "
                f"--engine {manifest.engine}, under another --name or to another --repository."
            )
