"""Giving a published version the pictures of its filters: its graphs stay as they are."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pawsight_serving.errors import ModelNotFound, RepositoryInvalid, VersionNotFound
from pawsight_serving.repository.directory import (
    MANIFEST_FILE,
    model_names,
    published_versions,
    read_manifest,
)
from pawsight_serving.repository.filters import FILTERS_FOLDER, filters_path, grids_in
from pawsight_serving.repository.served import read_graph_config, served_versions
from pawsight_serving.repository.triton_backends import set_parameters
from pawsight_serving.repository.triton_config import CONFIG_FILE, write_config
from pawsight_serving.repository.version_policy import MANIFEST_PARAMETER
from pawsight_serving.repository.writing import (
    exclusive_writer,
    replace_file,
    restored_on_failure,
    signals_deferred,
)

if TYPE_CHECKING:
    from pathlib import Path


def add_filters(root: Path, name: str, folder: Path, version: str = "") -> tuple[str, list[str]]:
    """Publish what `pawsight filters` drew with a version that is there already.

    What was published before never changes: a layer that has its picture keeps it. Readers see the
    version without the pictures or with all of them, as its manifest is replaced last. What fails,
    such as on a full disk, changes nothing; a command that was killed is given again.

    Args:
        root: the model repository.
        name: the model.
        folder: of `LAYER.png` files; other files are left out.
        version: of the model; empty means the newest that is served.

    Returns:
        The version, and the layers that have a picture now.

    Raises:
        ModelNotFound, VersionNotFound: there is no such model or version.
        RepositoryInvalid: the folder holds no grid of the model's layers, one that is no PNG, or
            another than was published; or the repository cannot be read or written.
    """
    published = published_versions(root, name)
    if not published:
        raise ModelNotFound(name, tuple(model_names(root)))
    version = version or (served_versions(root, name) or published)[-1]
    if version not in published:
        raise VersionNotFound(name, version, tuple(published))
    try:
        with exclusive_writer(root, name):
            return version, _add(root, name, version, folder)
    except OSError as error:
        raise RepositoryInvalid(
            f"The filters of {name} could not be written in {root}: {error.strerror or error}; "
            "mend that, then try again."
        ) from error


def _add(root: Path, name: str, version: str, folder: Path) -> list[str]:
    manifest = read_manifest(root, name, version)
    grids = grids_in(folder, [layer.name for layer in manifest.conv_layers])
    digests = {layer: hashlib.sha256(grid).hexdigest() for layer, grid in grids.items()}
    for layer, digest in digests.items():
        if manifest.filters.get(layer, digest) != digest:
            raise RepositoryInvalid(
                f"{name} version {version} was published with another picture of {layer}, and what "
                "was published stays; export a new version with --filters."
            )
    filled = manifest.model_copy(update={"filters": {**manifest.filters, **digests}})
    text = filled.model_dump_json(indent=2) + "\n"
    # What servers read comes last: the hot graph's manifest, then its configuration for Triton.
    graphs = (manifest.explain_name, name)
    contents = {
        **{
            filters_path(root, manifest.explain_name, version, layer): grid
            for layer, grid in grids.items()
        },
        **{root / graph / version / MANIFEST_FILE: text.encode() for graph in graphs},
    }
    config = read_graph_config(root, name)
    parameter = f"{MANIFEST_PARAMETER}:{version}"
    if parameter in config.parameters:
        set_parameters(config, {parameter: filled.model_dump_json()})
        contents[root / name / CONFIG_FILE] = write_config(config).encode()
    (root / manifest.explain_name / version / FILTERS_FOLDER).mkdir(exist_ok=True)
    with signals_deferred(), restored_on_failure(list(contents)):
        for path, content in contents.items():
            replace_file(path, content)
    return list(filled.filters)
