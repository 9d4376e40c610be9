from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import LayerUnknown, NotFound, RepositoryInvalid
from pawsight_serving.repository.filters import filters_path, read_filters
from tests.serving.fakes import manifest

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_serving.repository.manifest import Manifest

PNG = b"a grid"


@pytest.fixture
def drawn(tmp_path: Path) -> Manifest:
    path = filters_path(tmp_path, "tiny_explain", "1", "conv1")
    path.parent.mkdir(parents=True)
    path.write_bytes(PNG)
    digest = hashlib.sha256(PNG).hexdigest()
    return manifest().model_copy(update={"filters": {"conv1": digest}})


def test_a_grid_is_the_published_file(tmp_path: Path, drawn: Manifest) -> None:
    assert read_filters(tmp_path, drawn, "conv1") == PNG


def test_a_layer_without_a_grid_is_told_the_others(tmp_path: Path, drawn: Manifest) -> None:
    with pytest.raises(LayerUnknown, match="one of: conv1"):
        read_filters(tmp_path, drawn, "conv2")


def test_a_model_without_grids_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="add-filters"):
        read_filters(tmp_path, manifest(), "conv1")


@pytest.mark.parametrize("content", [b"another", None])
def test_another_file_or_none_is_refused(
    tmp_path: Path, drawn: Manifest, content: bytes | None
) -> None:
    path = filters_path(tmp_path, "tiny_explain", "1", "conv1")
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(RepositoryInvalid, match="export the model again"):
        read_filters(tmp_path, drawn, "conv1")
