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

from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository.directory import read_graph
from pawsight_serving.repository.manifest import PYTHON_FILE
from pawsight_serving.repository.served import read_graph_config, read_served
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

    def refresh(self) -> tuple[str, ...]:
        """Take over what was published and what was withdrawn; return the models' names.

        Raises:
            RepositoryInvalid: the repository cannot be served; the view stays as it was.
        """
        manifests = read_served(self._repository)
        names = tuple(dict.fromkeys(manifest.name for manifest in manifests))
        graphs: dict[str, list[Manifest]] = {}
        for manifest in manifests:
            for graph in manifest.graphs:
                graphs.setdefault(graph, []).append(manifest)
        configs = {graph: self._config(graph, versions) for graph, versions in graphs.items()}
        for graph, versions in graphs.items():
            for manifest in versions:
                if not (self.models / graph / manifest.version).exists():
                    self._check(graph, manifest)
        # The hot graph last: whoever sees a version finds its explanations.
        for graph, versions in sorted(graphs.items(), key=lambda item: item[0] in names):
            self._fill(graph, [manifest.version for manifest in versions], configs[graph])
        for model in self.models.iterdir():
            if model.name not in graphs:
                self._remove(model)
        return names

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
        folder.rename(part)
        shutil.rmtree(part)
