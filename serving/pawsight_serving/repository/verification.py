"""Whether a repository is what was published: every digest is computed again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pawsight_serving.errors import ModelNotFound, RepositoryInvalid
from pawsight_serving.repository.directory import (
    MANIFEST_FILE,
    model_names,
    read_manifest,
    version_folders,
)
from pawsight_serving.repository.filters import FILTERS_FOLDER
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX
from pawsight_serving.repository.served import read_graph_config, served_versions
from pawsight_serving.repository.triton_config import (
    CONFIG_FILE,
    LABELS_FILE,
    configured_manifests,
    labels_text,
    model_config,
)
from pawsight_serving.repository.version_policy import allowed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tritonclient.grpc.model_config_pb2 import ModelConfig

    from pawsight_serving.repository.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Verified:
    """One version, or what all of a model's versions share where `version` is empty."""

    name: str
    version: str
    faults: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name} version {self.version}" if self.version else self.name


def verify(root: Path, name: str = "") -> list[Verified]:
    """Return what was found of each model and version; of one model alone where it is named.

    Raises:
        RepositoryInvalid: there is no such folder.
        ModelNotFound: there is no such model.
    """
    names = _names(root)
    if name and name not in names:
        raise ModelNotFound(name, tuple(names))
    return [found for model in ([name] if name else names) for found in _model(root, model)]


def _names(root: Path) -> list[str]:
    """Return the models' names, also of those that have their `_explain` graph alone."""
    graphs = [*model_names(root), *(graph.name for graph in root.iterdir() if graph.is_dir())]
    return sorted({graph.removesuffix(EXPLAIN_SUFFIX) for graph in graphs})


def _model(root: Path, name: str) -> Iterator[Verified]:
    explain = name + EXPLAIN_SUFFIX
    try:
        versions = {graph: version_folders(root, graph) for graph in (name, explain)}
    except RepositoryInvalid as error:
        yield Verified(name, "", (str(error),))
        return
    manifests: list[Manifest] = []
    for version in sorted({*versions[name], *versions[explain]}, key=int):
        absent = [graph for graph, there in versions.items() if version not in there]
        if absent:
            yield Verified(name, version, (f"{absent[0]} has no such version",))
            continue
        try:
            manifest = read_manifest(root, name, version)
        except RepositoryInvalid as error:
            yield Verified(name, version, (str(error),))
            continue
        manifests.append(manifest)
        yield Verified(name, version, _readable(_version(root, manifest)))
    yield Verified(name, "", _readable(_shared(root, name, manifests)))


def _readable(faults: Iterator[str]) -> tuple[str, ...]:
    """Return faults; what cannot be read for somebody's want of rights, or a disk's, is one too."""
    found: list[str] = []
    try:
        found.extend(faults)
    except OSError as error:
        found.append(f"a file of it cannot be read ({error.strerror})")
    return tuple(found)


def _copies(root: Path, manifest: Manifest) -> Iterator[str]:
    """Yield what is wrong with the manifest's copies: both graphs have one."""
    copies = set()
    for name in manifest.graphs:
        copy = root / name / manifest.version / MANIFEST_FILE
        if copy.is_file():
            copies.add(copy.read_bytes())
        else:
            yield f"{name}/{manifest.version}/{MANIFEST_FILE} is missing"
    if len(copies) > 1:
        yield "the manifests of its two graphs differ"


def _version(root: Path, manifest: Manifest) -> Iterator[str]:
    yield from _copies(root, manifest)
    for name, graph in manifest.graphs.items():
        folder = root / name / manifest.version
        expected = {graph.file: graph.sha256, **graph.files}
        if name == manifest.explain_name:
            expected |= {
                f"{FILTERS_FOLDER}/{layer}.png": digest
                for layer, digest in manifest.filters.items()
            }
        for file, digest in expected.items():
            if not (folder / file).is_file():
                yield f"{name}/{manifest.version}/{file} is missing"
            elif _sha256(folder / file) != digest:
                yield f"{name}/{manifest.version}/{file} is not the file that was published"
        for path in sorted(folder.rglob("*")):
            file = path.relative_to(folder).as_posix()
            if path.is_file() and file not in {*expected, MANIFEST_FILE}:
                yield f"{name}/{manifest.version}/{file} was not published"


def _shared(root: Path, name: str, manifests: list[Manifest]) -> Iterator[str]:
    explain = name + EXPLAIN_SUFFIX
    try:
        served = served_versions(root, name)
        configs = {graph: read_graph_config(root, graph) for graph in (name, explain)}
        configured = {m.version: m for m in configured_manifests(configs[name])}
    except RepositoryInvalid as error:
        yield str(error)
        return
    if not served:
        yield "no version is served"
    yield from _policies(root, configs)
    for manifest in manifests:
        if manifest.version in served:
            if configured.get(manifest.version) != manifest:
                yield f"its configuration has another manifest of version {manifest.version}"
            yield from _configured(root, manifest, configs)


def _policies(root: Path, configs: Mapping[str, ModelConfig]) -> Iterator[str]:
    """Yield what the two graphs' policies serve in vain, the hot one's first."""
    there = {graph: version_folders(root, graph) for graph in configs}
    for graph, config in configs.items():
        for version in map(str, config.version_policy.specific.versions):
            if version not in there[graph]:
                yield f"{graph}/{CONFIG_FILE} serves version {version}, which is not there"
    (name, served), (explain, explained) = (
        (graph, allowed(config, there[graph])) for graph, config in configs.items()
    )
    for version in served:
        if version in there[explain] and version not in explained:
            yield f"{explain}/{CONFIG_FILE} does not serve version {version}, which {name} does"


def _configured(
    root: Path, manifest: Manifest, configs: Mapping[str, ModelConfig]
) -> Iterator[str]:
    labels = labels_text(manifest.classes)
    for graph, config in configs.items():
        path = root / graph / LABELS_FILE
        if not path.is_file() or path.read_bytes() != labels.encode():
            yield f"{graph}/{LABELS_FILE} does not list the classes of version {manifest.version}"
        own = model_config([manifest], graph)
        if (list(config.input), list(config.output)) != (list(own.input), list(own.output)):
            yield (
                f"{graph}/{CONFIG_FILE} does not have the input and outputs of version "
                f"{manifest.version}"
            )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
