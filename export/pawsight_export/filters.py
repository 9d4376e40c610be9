"""Pictures of a run's filters, published with the model."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pawsight_export.errors import PublicationFailed
from pawsight_serving.repository.filters import filters_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PNG = b"\x89PNG\r\n\x1a\n"


def stage_filters(
    staged: Path, name: str, version: str, filters: Path, layers: Sequence[str]
) -> dict[str, str]:
    """Copy the grids that `pawsight filters` drew into a staged version.

    Args:
        staged: the folder that the version is staged in.
        name: of the `_explain` graph.
        version: of the model.
        filters: folder of `LAYER.png` files; other files are left out.
        layers: names of the convolutional layers.

    Returns:
        Layer to sha256 of its file, for `Manifest.filters`.

    Raises:
        PublicationFailed: the folder holds no grid of any of the layers, or one that is no PNG.
    """
    digests = {}
    for layer in layers:
        source = filters / f"{layer}.png"
        if not source.is_file():
            continue
        data = source.read_bytes()
        if not data.startswith(_PNG):
            raise PublicationFailed(f"{source} is no PNG; draw it again with `pawsight filters`.")
        target = filters_path(staged, name, version, layer)
        target.parent.mkdir(exist_ok=True, parents=True)
        target.write_bytes(data)
        digests[layer] = hashlib.sha256(data).hexdigest()
    if not digests:
        raise PublicationFailed(
            f"{filters} holds no LAYER.png of the layers {', '.join(layers)}; "
            "make them with `pawsight filters RUN --out DIR`."
        )
    return digests
