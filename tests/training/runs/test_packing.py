"""A packed run is the run, at half the size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from pawsight_training.errors import RunInvalid
from pawsight_training.runs.packing import pack_run
from pawsight_training.runs.run import WEIGHTS
from pawsight_training.runs.weights import read_weights

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_training.runs.run import Run


@pytest.fixture
def packed(finished_run: Run, tmp_path: Path) -> Run:
    return pack_run(finished_run, tmp_path / "packed")


def test_it_holds_manifest_weights_and_history_alone(finished_run: Run, packed: Run) -> None:
    assert {file.name for file in packed.path.iterdir()} == {
        "manifest.json",
        "weights.safetensors",
        "history.csv",
    }
    sizes = [(run.path / WEIGHTS).stat().st_size for run in (packed, finished_run)]
    assert sizes[0] < 0.51 * sizes[1]


def test_the_manifest_says_what_it_holds(finished_run: Run, packed: Run) -> None:
    assert packed.manifest.stored_precision == "float16"
    assert packed.manifest.weights_sha256 != finished_run.manifest.weights_sha256
    left = {"stored_precision", "weights_sha256"}
    assert packed.manifest.model_dump(exclude=left) == finished_run.manifest.model_dump(
        exclude=left
    )


def test_its_net_computes_in_float32_what_the_run_does_but_for_rounding(
    finished_run: Run, packed: Run
) -> None:
    pictures = torch.randint(0, 256, (4, 3, 46, 46), dtype=torch.uint8)
    ours, theirs = packed.model()(pictures), finished_run.model()(pictures)
    assert ours.dtype == torch.float32
    assert 0 < (ours - theirs).abs().max() < 0.02 * theirs.abs().max() + 0.02


def test_its_net_normalises_as_the_run_does(vgg_run: Run, tmp_path: Path) -> None:
    packed = pack_run(vgg_run, tmp_path / "packed")
    for ours, theirs in zip(
        packed.model().normalise.buffers(), vgg_run.model().normalise.buffers(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_its_weights_can_be_started_from(packed: Run) -> None:
    assert read_weights(str(packed.path)).has_head


def test_a_folder_with_something_in_it_is_left_alone(finished_run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(RunInvalid, match="not empty"):
        pack_run(finished_run, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    with pytest.raises(RunInvalid, match="cannot be packed"):
        pack_run(finished_run, tmp_path / "mine")
