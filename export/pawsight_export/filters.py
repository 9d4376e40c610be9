"""Pictures of a run's filters, published with the model."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from torch import nn

from pawsight_export.errors import PublicationFailed
from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository.filters import filters_path, grids_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pawsight_training.architectures import ConvNet


def grids_to_publish(filters: Path, net: ConvNet) -> dict[str, bytes]:
    """Return the grids that `pawsight filters` drew of a net, by layer.

    Args:
        filters: folder of `LAYER.png` files; other files are left out.
        net: what they were drawn of.

    Raises:
        PublicationFailed: the folder holds no grid of any of the layers, or one that is no PNG.
    """
    layers = [name for name, layer in net.features.named_children() if isinstance(layer, nn.Conv2d)]
    try:
        return grids_in(filters, layers)
    except RepositoryInvalid as error:
        raise PublicationFailed(str(error)) from error
    except OSError as error:
        raise PublicationFailed(
            f"The pictures of filters in {filters} cannot be read ({error.strerror}); check who "
            "may read them, or leave out --filters."
        ) from error


def stage_filters(
    staged: Path, name: str, version: str, grids: Mapping[str, bytes]
) -> dict[str, str]:
    """Write grids of filters into a staged version.

    Args:
        staged: the folder that the version is staged in.
        name: of the `_explain` graph.
        version: of the model.
        grids: by layer, as PNG.

    Returns:
        Layer to sha256 of its file, for `Manifest.filters`.
    """
    for layer, grid in grids.items():
        target = filters_path(staged, name, version, layer)
        target.parent.mkdir(exist_ok=True, parents=True)
        target.write_bytes(grid)
    return {layer: hashlib.sha256(grid).hexdigest() for layer, grid in grids.items()}
