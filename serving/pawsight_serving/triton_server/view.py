"""A view of a model repository in which Triton's Python backend runs every ONNX graph.

The server of the wheel has that backend alone. So that a repository runs there whatever engine it
was exported for, the view holds, for each served version, links to its files, Pawsight's own
`model.py` where the version has none, and the repository's configuration with the backend changed:
batching, instances and whatever else was tuned stay as they are.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pawsight_serving.errors import FolderUnreadable, RepositoryInvalid
from pawsight_serving.repository.directory import (
    model_names,
    nothing_published,
    read_graph,
    read_manifest,
)
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX, PYTHON_FILE
from pawsight_serving.repository.served import read_graph_config, served_versions
from pawsight_serving.repository.triton_backends import run_in_python_backend
from pawsight_serving.repository.triton_config import CONFIG_FILE, write_config

if TYPE_CHECKING:
    from pawsight_serving.repository.manifest import Manifest

MODEL_SOURCE: Final = Path(__file__).parent / "python_backend" / PYTHON_FILE


class RepositoryView:
    """Keeps a folder in step with a repository; a polling Triton never sees half a model.

    Args:
        repository: the model repository; nothing is written there.
        folder: where to make the view, on one file system.
    """

    def __init__(self, repository: Path, folder: Path) -> None:
        self._repository = repository.absolute()
        self._parts = folder / "parts"
        self.models = folder / "models"
        self._parts.mkdir()
        self.models.mkdir()

    def refresh(self) -> dict[str, RepositoryInvalid | OSError | None]:
        """Take over what was published and what was withdrawn.

        Returns:
            Each served model's name, with what is wrong where it stays as it was.

        Raises:
            RepositoryInvalid: there is no repository, or nothing in it; the view stays as it was.
        """
        found: dict[str, RepositoryInvalid | OSError | None] = {}
        for name in model_names(self._repository):
            try:
                versions = served_versions(self._repository, name)
                manifests = [read_manifest(self._repository, name, each) for each in versions]
                if manifests:
                    self._show(manifests)
                    found[name] = None
            except (RepositoryInvalid, OSError) as error:
                found[name] = error
        if all(isinstance(fault, FolderUnreadable) for fault in found.values()):
            raise nothing_published(self._repository)
        for model in self.models.iterdir():
            if model.name.removesuffix(EXPLAIN_SUFFIX) not in found:
                self._remove(model)
        return found

    def _show(self, manifests: list[Manifest]) -> None:
        """Take over the served versions of one model."""
        # The hot graph last: whoever sees a version finds its explanations.
        graphs = (manifests[-1].explain_name, manifests[-1].name)
        configs = {graph: self._config(graph, manifests) for graph in graphs}
        for graph in graphs:
            for manifest in manifests:
                if not (self.models / graph / manifest.version).exists():
                    self._check(graph, manifest)
        for graph in graphs:
            self._fill(graph, [manifest.version for manifest in manifests], configs[graph])

    def _config(self, graph: str, versions: list[Manifest]) -> str:
        config = read_graph_config(self._repository, graph)
        run_in_python_backend(config, versions)
        return write_config(config)

    def _check(self, graph: str, manifest: Manifest) -> None:
        if manifest.graphs[graph].file != "model.onnx":
            raise RepositoryInvalid(
                f"{manifest.name} version {manifest.version} was exported for {manifest.engine} "
                "and cannot run here; export it with --engine onnxruntime, openvino or python."
            )
        read_graph(self._repository, manifest, graph)

    def _fill(self, graph: str, versions: list[str], config: str) -> None:
        model = self.models / graph
        # A new model appears whole; in one that is there, each file and each version does.
        target = model if model.exists() else self._parts / graph
        target.mkdir(exist_ok=True)
        for file in (self._repository / graph).iterdir():
            if (
                file.is_file()
                and not file.name.startswith(".")
                # Always the view's own: tuning writes its trials into it, which must not go
                # through a link to what is published.
                and file.name != CONFIG_FILE
                and not (target / file.name).exists()
            ):
                (target / file.name).symlink_to(file)
        for version in versions:
            if not (target / version).exists():
                self._link_version(self._repository / graph / version, target / version)
        # Between the two, so that no version is named that is not there.
        self._write(target / CONFIG_FILE, config)
        for folder in target.iterdir():
            if folder.is_dir() and folder.name not in versions:
                self._remove(folder)
        if target != model:
            target.rename(model)

    def _link_version(self, published: Path, target: Path) -> None:
        part = self._parts / f"{target.parent.name}-{target.name}"
        # Of a look that failed half way.
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        for file in published.iterdir():
            (part / file.name).symlink_to(file)
        if not (part / PYTHON_FILE).exists():
            (part / PYTHON_FILE).symlink_to(MODEL_SOURCE)
        # In the place of the folder that the backend's Python would make for its cache, whatever
        # its environment says: a polling Triton would take that for a change, and load all again.
        (part / "__pycache__").touch()
        part.rename(target)

    def _write(self, path: Path, text: str) -> None:
        if not path.exists() or path.read_text() != text:
            part = self._parts / path.name
            part.write_text(text)
            part.replace(path)

    def _remove(self, folder: Path) -> None:
        part = self._parts / f"{folder.name}.removed"
        shutil.rmtree(part, ignore_errors=True)
        folder.rename(part)
        shutil.rmtree(part)
