"""Pictures of a run's filters, published with the model."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pawsight_export.errors import PublicationFailed
from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository.filters import filters_path, grids_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


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
    try:
        grids = grids_in(filters, layers)
    except RepositoryInvalid as error:
        raise PublicationFailed(str(error)) from error
    except OSError as error:
        raise PublicationFailed(
            f"The pictures of filters in {filters} cannot be read ({error.strerror}); check who "
            "may read them, or leave out --filters."
        ) from error
    for layer, grid in grids.items():
        target = filters_path(staged, name, version, layer)
        target.parent.mkdir(exist_ok=True, parents=True)
        target.write_bytes(grid)
    return {layer: hashlib.sha256(grid).hexdigest() for layer, grid in grids.items()}
