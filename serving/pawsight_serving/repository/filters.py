"""Pictures of what a model's filters respond to, published beside its `_explain` graph.

NAME_explain/VERSION/filters/LAYER.png
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from pawsight_serving.errors import LayerUnknown, NotFound, RepositoryInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pawsight_serving.repository.manifest import Manifest

FILTERS_FOLDER: Final = "filters"
_PNG: Final = b"\x89PNG\r\n\x1a\n"


def filters_path(root: Path, name: str, version: str, layer: str) -> Path:
    """Return where a layer's grid lies; `name` is of the `_explain` graph."""
    return root / name / version / FILTERS_FOLDER / f"{layer}.png"


def grids_in(folder: Path, layers: Sequence[str]) -> dict[str, bytes]:
    """Return the grids that `pawsight filters` drew of these layers, as PNG.

    Raises:
        RepositoryInvalid: the folder holds no grid of any of the layers, or one that is no PNG.
    """
    grids = {}
    for layer in layers:
        source = folder / f"{layer}.png"
        if not source.is_file():
            continue
        grids[layer] = source.read_bytes()
        if not grids[layer].startswith(_PNG):
            raise RepositoryInvalid(
                f"{source} is not a PNG; draw it again with `pawsight filters`."
            )
    if not grids:
        raise RepositoryInvalid(
            f"{folder} holds no LAYER.png of the layers {', '.join(layers)}; "
            "make them with `pawsight filters RUN --out DIR`."
        )
    return grids


def read_filters(root: Path, manifest: Manifest, layer: str) -> bytes:
    """Return a layer's grid as PNG, checked against the manifest's digest.

    Raises:
        LayerUnknown: the model has grids, but none of this layer.
        NotFound: it was published without any.
        RepositoryInvalid: the file is missing or is not the one that was published.
    """
    if not manifest.filters:
        raise NotFound(
            f"{manifest.name} version {manifest.version} was published without pictures of its "
            "filters; make them with `pawsight filters` and add them with `pawsight repository "
            "add-filters`."
        )
    if layer not in manifest.filters:
        raise LayerUnknown(layer, tuple(manifest.filters))
    path = filters_path(root, manifest.explain_name, manifest.version, layer)
    damaged = RepositoryInvalid(
        f"The filters of {manifest.name} version {manifest.version} are missing or are not the "
        "files that were published; export the model again."
    )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise damaged from error
    if hashlib.sha256(data).hexdigest() != manifest.filters[layer]:
        raise damaged
    return data
