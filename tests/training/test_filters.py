from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from pawsight_training.architectures import build
from pawsight_training.errors import RecipeInvalid
from pawsight_training.filters import conv_layers, grid, maximise_filters, write_filters

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pawsight_training.architectures import ConvNet
    from pawsight_training.runs.run import Run


def responses(net: ConvNet, layer: str, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the mean response of every filter of a layer to every picture, [N, filters]."""
    values = net.normalise(torch.from_numpy(pictures).permute(0, 3, 1, 2))
    with torch.inference_mode():
        for name, module in net.features.named_children():
            values = module(values)
            if name == layer:
                break
    means: NDArray[np.float32] = values.mean(dim=(2, 3)).numpy()
    return means


@pytest.mark.parametrize("layer", ["conv1", "conv3"])
def test_the_picture_of_a_filter_drives_it_more_than_noise_does(
    finished_run: Run, layer: str
) -> None:
    net, filters = finished_run.model(), range(4)
    found = maximise_filters(net, layer, filters, side=48, steps=24)
    noise = np.random.default_rng(0).integers(0, 256, (32, 48, 48, 3), dtype=np.uint8)
    assert found.shape == (4, 48, 48, 3)
    driven = responses(net, layer, found)
    assert (driven[filters, filters] > responses(net, layer, noise)[:, :4].max(axis=0)).all()


def test_a_seed_gives_the_same_pictures(finished_run: Run) -> None:
    one, same, other = (
        maximise_filters(finished_run.model(), "conv1", [0], side=32, steps=4, seed=seed)
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_the_model_is_left_as_it_was(finished_run: Run) -> None:
    net = finished_run.model()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    maximise_filters(net, "conv2", [0, 1], side=32, steps=3)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(weight.grad is None for weight in net.parameters())


def test_only_convolutional_layers_have_filters(finished_run: Run) -> None:
    assert conv_layers(finished_run.model()) == ("conv1", "conv2", "conv3", "conv4")
    assert len(conv_layers(build("vgg16", 2, (32, 32)))) == 13
    with pytest.raises(RecipeInvalid, match="'pool1' is not one of: conv1, conv2"):
        maximise_filters(finished_run.model(), "pool1", [0])


def test_a_grid_is_square_and_in_order() -> None:
    pictures = np.stack([np.full((8, 8, 3), shade, np.uint8) for shade in (10, 20, 30, 40, 50)])
    sheet = grid(pictures)
    assert sheet.shape == (20, 32, 3)
    assert [sheet[0, 0, 0], sheet[0, 12, 0], sheet[12, 0, 0], sheet[12, 12, 0]] == [10, 20, 40, 50]
    assert not sheet[8:12].any()


def test_every_layer_gets_a_sheet(finished_run: Run, tmp_path: Path) -> None:
    paths = list(write_filters(finished_run.model(), tmp_path / "f", count=2, side=46, steps=1))
    assert [path.name for path in paths] == [f"conv{number}.png" for number in range(1, 5)]
    with Image.open(paths[0]) as sheet:
        assert sheet.size == (46 * 2 + 4, 46)
    paths[0].unlink()
    paths[0].mkdir()
    with pytest.raises(RecipeInvalid, match="cannot be written"):
        list(write_filters(finished_run.model(), tmp_path / "f", ["conv1"], 1, steps=1))


def test_a_file_in_the_folders_place_is_told_before_the_work(
    finished_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("pawsight_training.filters.maximise_filters")
    (tmp_path / "file").touch()
    with pytest.raises(RecipeInvalid, match=r"file cannot be made a folder \(File exists\)"):
        list(write_filters(finished_run.model(), tmp_path / "file"))
