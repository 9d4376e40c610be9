from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from pawsight_export.errors import PublicationFailed
from pawsight_export.filters import grids_to_publish, stage_filters
from tests.export.conftest import random_net

if TYPE_CHECKING:
    from pathlib import Path

GRID = b"\x89PNG\r\n\x1a\nof filters"


def test_the_layers_grids_are_copied_and_digested(tmp_path: Path) -> None:
    drawn, staged = tmp_path / "drawn", tmp_path / "staged"
    drawn.mkdir()
    for name in ("conv1.png", "conv9.png", "notes.txt"):
        (drawn / name).write_bytes(GRID)
    grids = grids_to_publish(drawn, random_net())
    digests = stage_filters(staged, "pets_explain", "1", grids)
    assert digests == {"conv1": hashlib.sha256(GRID).hexdigest()}
    (copied,) = (staged / "pets_explain" / "1" / "filters").iterdir()
    assert (copied.name, copied.read_bytes()) == ("conv1.png", GRID)


def test_a_folder_without_any_grid_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PublicationFailed, match="of the layers conv1, conv2,"):
        grids_to_publish(tmp_path, random_net())


def test_what_is_no_png_is_refused(tmp_path: Path) -> None:
    (tmp_path / "conv1.png").write_bytes(b"JFIF")
    with pytest.raises(PublicationFailed, match="not a PNG"):
        grids_to_publish(tmp_path, random_net())
